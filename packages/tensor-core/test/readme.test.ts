// The README's example runs as it stands and prints what the README says.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const home = new URL("..", import.meta.url);

function block(language: string): string {
  const text = readFileSync(new URL("README.md", home), "utf8");
  return new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, "s").exec(text)?.[1] ?? `the README has no ${language} block`;
}

test("the README's example prints what the README says, and forgets no tensor", () => {
  const options = ["--conditions=@iapo/source", "--input-type=module"]; // a package may import itself by name
  const { status, stdout, stderr } = spawnSync(process.execPath, options, {
    cwd: home,
    input: block("js"),
    encoding: "utf8",
  });
  expect(stderr).not.toContain("dispose");
  expect(stdout.trim()).toBe(block("text"));
  expect(status).toBe(0);
});

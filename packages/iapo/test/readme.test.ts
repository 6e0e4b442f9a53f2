// The README's example runs as it stands and prints what the README says. It opens a device of its own, so it waits for the full check.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const home = new URL("..", import.meta.url);

function block(language: string): string {
  const text = readFileSync(new URL("README.md", home), "utf8");
  return new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, "s").exec(text)?.[1] ?? `the README has no ${language} block`;
}

test.skipIf(process.env.IAPO_FULL !== "1")(
  "the README's example prints what the README says",
  { timeout: 180_000 },
  () => {
    const directory = mkdtempSync(join(tmpdir(), "iapo-readme-"));
    try {
      const options = ["--conditions=@iapo/source", "--input-type=module", "-", join(directory, "run")];
      const { status, stdout, stderr } = spawnSync(process.execPath, options, {
        cwd: home,
        input: block("js"),
        encoding: "utf8",
      });
      expect(stderr).not.toContain("dispose");
      expect([stdout.trim(), status]).toEqual([block("text"), 0]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);

// Every TypeScript and JavaScript block of every README is type-checked as it stands, and run unless it needs a download.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readmeBlocks, root } from "./blocks.ts";

const folder = join(root, "examples/.readme"); // inside of the workspace, so that imports resolve
const programs = readmeBlocks()
  .filter(({ language, flag }) => ["ts", "js"].includes(language) && flag !== "fragment")
  .map((block) => ({ ...block, name: `${block.readme.replaceAll(/\W+/g, "-")}-${block.line}.ts` }));

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, code } of programs) writeFileSync(join(folder, name), code);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("blocks are type-checked", { timeout: 300_000 }, () => {
  const config = { extends: "../tsconfig.json", include: ["*.ts"], exclude: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { stdout, status } = spawnSync("tsc", ["-p", folder], { encoding: "utf8" });
  expect([stdout, status]).toEqual(["", 0]);
});

test.each(programs.filter(({ flag }) => flag === ""))(
  "$readme:$line runs",
  { timeout: 300_000 },
  ({ name, prints }) => {
    const cwd = mkdtempSync(join(tmpdir(), "iapo-readme-"));
    onTestFinished(() => rmSync(cwd, { recursive: true }));
    cpSync(join(root, "examples/test/files"), cwd, { recursive: true });
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--conditions=@iapo/source", join(folder, name)], {
      cwd,
      encoding: "utf8",
    });
    expect(stderr).not.toContain("dispose");
    expect(status, stderr).toBe(0);
    if (prints !== undefined) expect(stdout.trimEnd()).toBe(prints);
  },
);

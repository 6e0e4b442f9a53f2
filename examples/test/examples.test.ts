// Each example runs as its first line says, and prints something.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root } from "./blocks.ts";

const programs = globSync("examples/*.ts", { cwd: root }).sort();

test.each(programs)("%s runs", { timeout: 300_000 }, (program) => {
  const cwd = mkdtempSync(join(tmpdir(), "iapo-example-"));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  const options = ["--conditions=@iapo/source", join(root, program)];
  const { status, stdout, stderr } = spawnSync(process.execPath, options, { cwd, encoding: "utf8" });
  expect(stderr).not.toContain("dispose");
  expect(status, stderr).toBe(0);
  expect(stdout).not.toBe("");
});

// Each example runs as its first line says, and prints something.
import { globSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./blocks.ts";
import { runProgram } from "./run-program.ts";

const programs = globSync("examples/*.ts", { cwd: root }).sort();

test.each(programs)("%s runs", { timeout: 300_000 }, async (program) => {
  expect(await runProgram(join(root, program))).not.toBe("");
});

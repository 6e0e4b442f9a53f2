import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runPrinted } from "../harness/printed.ts";

const folder = mkdtempSync(join(tmpdir(), "iapo-bench-printed-"));
afterAll(() => rmSync(folder, { recursive: true }));

function ran(program: string) {
  const file = join(folder, "some.bench.mjs");
  writeFileSync(file, program);
  return runPrinted("some", file, "abc");
}

test("a script's rows, with what it says it measured", () => {
  const row = { case: "a", unit: "ms", ours: 2, correct: true };
  const result = ran(`console.log(JSON.stringify({ versions: { driver: "v1" }, rows: [${JSON.stringify(row)}] }))`);
  expect(result).toMatchObject({ versions: { driver: "v1", node: process.versions.node }, rows: [row] });
});

test("why a script has none; and one that prints nothing", () => {
  expect(ran('console.log(JSON.stringify({ skipped: "no driver" }))')).toEqual({ skipped: "no driver" });
  expect(ran("export default {}")).toBeUndefined();
});

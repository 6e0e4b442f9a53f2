// The table of measured adapters is that of the files in bench/adapters; a file that is none is refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { adaptersTable, withAdapters } from "../adapters.ts";

test("the page has the table of today's files", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/gpu-day.md"), "utf8");
  expect(withAdapters(page)).toBe(page);
});

test("what strangers send is parsed, and cannot break the table", () => {
  const folder = mkdtempSync(join(tmpdir(), "iapo-adapters-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const found = {
    ...{ device: "a | b\n<script>", vendor: "", architecture: "", driver: "`d`", software: false, family: "workgroup" },
    ...{ subgroups: { least: 0, most: 0 }, adapters: [], features: [], limits: {}, matrices: [], budget: null },
    ...{ dawn: "0", load: 0 },
  };
  const measured = {
    ...{ format: "iapo-measurement", version: 1, iapo: "1", node: "24", platform: "linux", minutes: 20, verdict: [] },
    parts: { adapters: { state: "done", seconds: 1, found } },
  };
  writeFileSync(join(folder, "a.json"), JSON.stringify(measured));
  const [, , row = ""] = adaptersTable(folder).split("\n");
  expect(row.split("|").length).toBe(12);
  expect(row).not.toMatch(/[<>`]/);
  writeFileSync(join(folder, "b.json"), JSON.stringify({ ...measured, version: 2 }));
  expect(() => adaptersTable(folder)).toThrow(/version/);
});

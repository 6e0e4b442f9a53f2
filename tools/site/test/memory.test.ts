// The table of docs/memory.md is what plans give today.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { memoryTable } from "../memory.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/memory.md"), "utf8");
const rows = process.env.IAPO_FULL === "1" ? ["nano student", "3B, adapter"] : ["nano student"];

test.each(rows)("%s", { timeout: 300_000 }, async (name) => {
  const made = await memoryTable(name);
  expect(page, "node --conditions=@iapo/source tools/site/memory.ts writes it").toContain(made.split("\n")[2]);
  expect(page).toContain(made.split("\n")[0]);
});

// The README's op table is made from the registry. UPDATE=1 rewrites it.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Op } from "../src/ops/define.ts";
import { registry } from "../src/ops/registry.ts";

const readme = new URL("../README.md", import.meta.url);
const BEGIN = "<!-- ops: made by test/op-table.test.ts, UPDATE=1 rewrites -->";
const END = "<!-- /ops -->";

function row(op: Op): string {
  const types = new Set(op.cases.flatMap((c) => c.inputs.map((input) => input.dtype ?? "f32")));
  const gradient = op.differentiable ? "yes" : "no";
  const nonFinite = op.nonFinite ?? "propagate";
  return `| \`${op.opName}\` | ${op.summary.replaceAll("|", "\\|")} | ${gradient} | ${[...types].sort().join(", ")} | ${nonFinite} |`;
}

test("the README lists the registry's ops", () => {
  const ops = [...registry].sort((a, b) => a.opName.localeCompare(b.opName, "en"));
  const lines = [
    "| op | what it gives | gradient | tested input types | NaN and infinity |",
    "|---|---|---|---|---|",
    ...ops.map(row),
  ];
  const table = `${BEGIN}\n${lines.join("\n")}\n${END}`;
  const text = readFileSync(readme, "utf8");
  const [before, rest = ""] = text.split(BEGIN);
  const updated = text.includes(BEGIN)
    ? `${before}${table}${rest.slice(rest.indexOf(END) + END.length)}`
    : `${text}\n## Ops\n\n${table}\n`;
  if (process.env.UPDATE === "1") writeFileSync(readme, updated);
  expect(readFileSync(readme, "utf8")).toBe(updated);
});

test("op names are unique", () => {
  const names = registry.map((op) => op.opName);
  expect(new Set(names).size).toBe(names.length);
});

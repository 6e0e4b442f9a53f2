// The README's tables of losses, advantages and KL estimators are made from the registries. UPDATE=1 rewrites them.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { advantageDefinition, advantageKinds } from "../src/advantages/registry.ts";
import { klEstimators, type LossKind, lossDefinition, lossKinds } from "../src/math/index.ts";

const readme = new URL("../README.md", import.meta.url);

function presetOf(kind: LossKind): string {
  const { preset, advantageScale } = lossDefinition(kind);
  const { clip, dualClip, gate, aggregation } = preset;
  const parts = [
    clip && `clip ${clip.low} / ${clip.high}`,
    dualClip && `dual clip ${dualClip}`,
    gate && `tau ${gate.positive} / ${gate.negative}`,
    `\`${aggregation}\``,
    advantageScale && `advantages scaled by \`${advantageScale}\``,
  ];
  return parts.filter(Boolean).join(", ");
}

const tables: Record<string, readonly (readonly string[])[]> = {
  losses: [
    ["kind", "term of a token", "as published", "source"],
    ...lossKinds.map((kind) => [
      `\`${kind}\``,
      lossDefinition(kind).formula,
      presetOf(kind),
      lossDefinition(kind).source,
    ]),
  ],
  advantages: [
    ["kind", "formula", "source"],
    ...advantageKinds.map((kind) => [
      `\`${kind}\``,
      advantageDefinition(kind).formula,
      advantageDefinition(kind).source,
    ]),
  ],
  kl: [
    ["estimator", "of `d = log-prob - reference log-prob`"],
    ...[...klEstimators.values()].map(({ estimator, formula }) => [`\`${estimator}\``, formula]),
  ],
};

test.each(Object.entries(tables))("the README's table of %s is the registry's", (name, [head = [], ...rows]) => {
  const lines = [head, head.map(() => "---"), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  const [begin, end] = [
    `<!-- ${name}: made by test/registry-tables.test.ts, UPDATE=1 rewrites -->`,
    `<!-- /${name} -->`,
  ];
  const text = readFileSync(readme, "utf8");
  expect(text).toContain(begin);
  const [before = "", rest = ""] = text.split(begin);
  const updated = `${before}${begin}\n${lines.join("\n")}\n${rest.slice(rest.indexOf(end))}`;
  if (process.env.UPDATE === "1") writeFileSync(readme, updated);
  expect(readFileSync(readme, "utf8")).toBe(updated);
});

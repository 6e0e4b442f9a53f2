// What a refusal says: where, the line with a caret, what was probably meant.
import { expect, test } from "vitest";
import { base, config, renamed } from "./settings.ts";
import { refusalOf } from "./support.ts";

test("an unknown key is shown with file, line, column, the line itself and the nearest known key", () => {
  expect(refusalOf(`${base}train:\n  evaluate:\n    evry: 1\n    every: 1\n`)).toBe(
    [
      "the configuration cannot be used",
      'run.yaml:4:5: unknown key "evry" in train.evaluate',
      "  4 |     evry: 1",
      "    |     ^^^^",
      '      did you mean "every"?',
    ].join("\n"),
  );
});

test.each<[what: string, text: string, sets: readonly string[], message: RegExp]>([
  [
    "a key of another section",
    "every: 1",
    [],
    /run.yaml:2:1: unknown key "every"\n[\s\S]*it belongs to train.evaluate/,
  ],
  ["a key like none", "train: {qqqqqq: 1}", [], /known here: steps, rate/],
  ["a misspelled choice", "train: {onFailure: stpo}", [], /run.yaml:2:20: train.onFailure: [\s\S]*did you mean "stop"/],
  ["a wrong type", "train:\n  steps: many", [], /run.yaml:3:10: train.steps: expected number, received string\n/],
  ["a wrong item", "train: {betas: [0.9, 2]}", [], /run.yaml:2:22: train.betas.1: /],
  ["a mapping's value", "train: 3", [], /run.yaml:2:8: train: expected object, received number/],
  ["a missing key", "train: {evaluate: {}}", [], /train.evaluate.every is missing/],
  ["a choice of kinds", "train: {noCall: [7]}", [], /train.noCall: .*"zero".*, or .*number/],
  ["no YAML", "train: [1", [], /run.yaml:\d+:\d+: .*flow/i],
  ["a list", "- 1", [], /mapping/],
  [
    "--set of an unknown key",
    "",
    ["train.stepz=3"],
    /command line: unknown key "stepz" in train\n {3}\| --set train.stepz=3\n {3}\| {13}\^{5}\n.*"steps"/,
  ],
  ["--set of a wrong type", "", ["train.steps=x"], /--set train.steps=x\n {3}\| {19}\^\n?$/],
  ["--set of nothing", "", ["train.steps"], /this must read key=value/],
  ["--set within nothing", "", ["train..steps=1"], /this must read key=value/],
  ["--set of NaN", "", ["train.rate=NaN"], /train.rate: expected a finite number, received NaN/],
  ["--set of .nan", "", ["train.rate=.nan"], /train.rate: expected a finite number, received NaN/],
  ["--set of infinity", "", ["train.rate=-Infinity"], /train.rate: expected a finite number, received -Infinity/],
  ["infinity", "train: {rate: .inf}", [], /train.rate: expected a finite number, received Infinity/],
  ["an old key", "train: {learningRate: 1}", [], /unknown key "learningRate" in train\n[\s\S]*it is called "rate" now/],
  ["an old key of another section", "train: {folder: x}", [], /it is called output now/],
  ["an old value", "train: {onFailure: penalise}", [], /run.yaml:2:20: [\s\S]*it is called "penalize" now/],
  ["an old key by --set", "", ["train.learningRate=1"], /it is called "rate" now/],
  [
    "an unknown base",
    "extends: smal",
    [],
    /run.yaml:2:10: smal: there is no such file or recipe; did you mean the recipe small/,
  ],
  ["a base that is no text", "extends: [small]", [], /extends takes the name of a recipe or a file/],
])("refused: %s", (_, text, sets, message) => {
  const refusal = refusalOf(text.startsWith("-") ? `${text}\n` : `${base}${text}\n`, sets);
  expect(refusal).toMatch(message);
  expect(refusal.split("\n").length).toBeLessThanOrEqual(24);
});

test("of many problems a screen is shown", () => {
  const refusal = refusalOf(`${base}train:\n${Array.from({ length: 100 }, (_, i) => `  wrong${i}: 1\n`).join("")}`);
  expect(refusal).toMatch(/and 95 more$/);
});

test("a line of a thousand characters is cut around its caret", () => {
  const refusal = refusalOf(`${base}train: {onFailure: ${"x".repeat(1000)}, wrong: 1}\n`);
  expect(Math.max(...refusal.split("\n").map(({ length }) => length))).toBeLessThan(200);
});

test("a new name of the table is one that the schema knows", () => {
  for (const { key, value, now } of renamed) {
    const [section = "", name = ""] = (value === undefined ? now : key).split(".");
    expect(JSON.stringify(config.jsonSchema.properties?.[section])).toContain(name);
  }
});

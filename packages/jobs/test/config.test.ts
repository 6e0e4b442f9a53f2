// Configurations: what is refused, where the message points, and how files and --set lie on top of one another.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { keysOf } from "@iapo/run-config";
import { expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { jobConfig, loadConfig } from "../src/config/load.ts";
import { renamed } from "../src/config/renamed.ts";

const base = "model: {directory: nano-base, initialize: 1}\ndata: {nanoCharts: {}}\n";

function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function refusalOf(text: string, sets: readonly string[] = []): string {
  const file = join(folderOf({ "run.yaml": text }), "run.yaml");
  try {
    loadConfig(file, sets);
  } catch (error) {
    expect(error).toMatchObject({ name: "ConfigError", code: expect.stringMatching(/^(invalid|unreadable)$/) });
    return (error as Error).message.replaceAll(file, "run.yaml").replaceAll(relative(".", file), "run.yaml");
  }
  throw new Error("this configuration was taken");
}

test("an unknown key is shown with file, line, column, the line itself and the nearest known key", () => {
  expect(refusalOf(`${base}grpo:\n  optimizer:\n    learningrate: 1e-4\n`)).toBe(
    [
      "the configuration cannot be used",
      'run.yaml:5:5: unknown key "learningrate" in grpo.optimizer',
      "  5 |     learningrate: 1e-4",
      "    |     ^^^^^^^^^^^^",
      '      did you mean "learningRate"?',
    ].join("\n"),
  );
});

test.each([
  [
    "a key of another section",
    "grpo: {learningRate: 1}",
    [],
    /run.yaml:3:8: unknown key "learningRate" in grpo[\s\S]*it belongs to grpo.optimizer/,
  ],
  [
    "lookups of fixed tools",
    "supervised: {mixture: {lookups: 0.5}}",
    [],
    /run.yaml:3:33: supervised.mixture.lookups: [\s\S]*set data.nanoCharts.tools to in_context/,
  ],
  [
    "glossaries of fixed tools",
    "supervised: {mixture: {glossaries: 0.5}}",
    [],
    /run.yaml:3:36: supervised.mixture.glossaries: [\s\S]*set data.nanoCharts.tools to in_context/,
  ],
  [
    "shares that are more than all",
    "supervised: {mixture: {captions: 0.6, edited: 1, chains: 0.5}}",
    [],
    /run.yaml:3:14: supervised.mixture: the shares sum to more than 1/,
  ],
  ["a part that is none", 'environment: {module: ""}', [], /run.yaml:3:15: environment.module: /],
  [
    "a misspelled choice",
    "grpo: {loss: {kind: dpao}}",
    [],
    /run.yaml:3:21: grpo.loss.kind: [\s\S]*did you mean "dapo"/,
  ],
  [
    "a wrong type",
    "grpo:\n  steps: many",
    [],
    /run.yaml:4:10: grpo.steps: expected number, received string\n {2}4 \| {3}steps: many\n {4}\| {10}\^{4}\n?$/,
  ],
  ["a wrong item", "grpo: {optimizer: {betas: [0.9, 2]}}", [], /run.yaml:3:33: grpo.optimizer.betas.1: /],
  ["a mapping's value", "grpo: 3", [], /run.yaml:3:7: grpo: expected object, received number/],
  ["a choice of kinds", "data: {nanoCharts: {names: 7}}", [], /data.nanoCharts.names: .*"words".*, or .*array/],
  [
    "a rule between keys",
    "grpo: {optimizer: {schedule: cosine}}",
    [],
    /run.yaml:3:8: grpo.optimizer.totalSteps: .*needs totalSteps/,
  ],
  [
    "a key of the tools",
    "environment: {tools: {autodisplay: true}}",
    [],
    /run.yaml:3:15: environment.tools: .*autodisplay/,
  ],
  ["a missing section", "model:", [], /model is missing/],
  [
    "a missing directory",
    "model: {directory: ./nowhere}",
    [],
    /run.yaml:3:20: .*nowhere: there is no such model directory[\s\S]*relative to .*names are nano-base/,
  ],
  [
    "a directory without a model",
    "model: {directory: .}",
    [],
    /run.yaml:3:20: .*is not a model directory: it holds no config.json/,
  ],
  [
    "a missing data file",
    "data: {files: {format: refocus, path: x.json}}",
    [],
    /x.json: there is no such file or folder/,
  ],
  [
    "two sources",
    "data: {nanoCharts: {}, files: {format: refocus, path: .}}",
    [],
    /data: give either nanoCharts or files/,
  ],
  [
    "a judge without an address",
    "environment: {scoring: {scoring: judge}}",
    [],
    /environment.scoring: scoring by a judge needs the section judge/,
  ],
  ["no YAML", "grpo: [1", [], /run.yaml:\d+:\d+: .*flow/i],
  ["a key twice", "grpo: {}\ngrpo: {}", [], /run.yaml:4:1: Map keys must be unique/],
  ["a list", "- 1", [], /mapping/],
  [
    "--set of an unknown key",
    "",
    ["grpo.stepz=3"],
    /command line: unknown key "stepz" in grpo\n {3}\| --set grpo.stepz=3\n {3}\| {12}\^{5}\n.*"steps"/,
  ],
  ["--set of a wrong type", "", ["grpo.steps=x"], /--set grpo.steps=x\n {3}\| {18}\^\n?$/],
  ["--set of nothing", "", ["grpo.steps"], /this must read key=value/],
  [
    "an unknown base",
    "extends: nano-gpro",
    [],
    /run.yaml:3:10: nano-gpro: there is no such file or recipe; did you mean the recipe nano-grpo/,
  ],
])("refused: %s", (_, text, sets, message) => {
  const own = /^(model|data|extends|-)/.exec(text)?.[0];
  const rest = own === "-" ? "" : base.replace(own ? new RegExp(`^${own}:.*$`, "m") : /$^/, "#");
  const refusal = refusalOf(`${rest}${text}\n`, sets);
  expect(refusal).toMatch(message);
  expect(refusal.split("\n").length).toBeLessThanOrEqual(24);
});

test("a file adds to what it extends, --set to both; an empty key takes a section back; lists are replaced", () => {
  const folder = folderOf({
    "base.yaml": `${base}grpo:\n  steps: 7\n  groups: 3\n  optimizer: {betas: [0.5, 0.6]}\n  evaluate: {every: 1, tasks: 2}\n`,
    "top/run.yaml": "extends: ../base.yaml\ngrpo:\n  groups: 4\n  optimizer: {betas: [0.1, 0.2]}\n  evaluate:\n",
  });
  const { config, name } = loadConfig(join(folder, "top/run.yaml"), ["grpo.seed=9", "data.nanoCharts.names=words"]);
  expect(name).toBe("run");
  expect(config.grpo).toMatchObject({ steps: 7, groups: 4, seed: 9, optimizer: { betas: [0.1, 0.2] } });
  expect(config.grpo.evaluate).toBeUndefined();
  expect(config.data.nanoCharts?.names).toBe("words");
});

test("null stays where it is a value", () => {
  const file = join(folderOf({ "run.yaml": `${base}grpo: {loss: {kind: grpo, dualClip: }}\n` }), "run.yaml");
  expect(loadConfig(file).config.grpo.loss.dualClip).toBeUndefined();
  expect(loadConfig(file, ["grpo.loss.dualClip=2"]).config.grpo.loss.dualClip).toBe(2);
});

test("--set takes a text as it stands where the schema wants one", () => {
  const { config } = loadConfig("nano-grpo", ["output=12", "model.directory=nano-base", "model.initialize=1"]);
  expect(config.output).toMatch(/[\\/]12$/);
});

test("paths are relative to the file they stand in", () => {
  const folder = folderOf({
    "models/a/config.json": "{}",
    "inner/base.yaml": "model: {directory: ../models/a}\ndata: {nanoCharts: {}}\noutput: here\n",
    "run.yaml": "extends: inner/base.yaml\n",
  });
  const { config, resolved } = loadConfig(join(folder, "run.yaml"));
  expect(config.model.directory).toBe(join(folder, "models/a"));
  expect(config.output).toBe(join(folder, "inner/here"));
  const again = folderOf({ "config.yaml": stringify(resolved) });
  expect(loadConfig(again).config).toEqual({ ...config, output: again }); // a run stays in its directory
});

test("every key has a description: what editors show", () => {
  const keys = keysOf(jobConfig.jsonSchema);
  expect(keys.length).toBeGreaterThan(200);
  expect(keys.flatMap(({ path, schema }) => (schema.description ? [] : [path]))).toEqual([]);
});

test("what had another name is refused with that of today, which the schema knows", () => {
  const keys = keysOf(jobConfig.jsonSchema);
  for (const { key, value, now } of renamed) {
    const known = keys.filter(({ path }) => path === (value === undefined ? now : key));
    expect(
      known.map(({ path }) => path),
      now,
    ).not.toEqual([]);
    if (value !== undefined) expect(known.flatMap(({ schema }) => schema.enum ?? [])).toContain(now);
    const others = { iapo: "teacher.directory=nano-base", baseline: "baseline.kind=torl" };
    const sections = Object.entries(others).flatMap(([section, set]) => (key.startsWith(section) ? [set] : []));
    const written = [...sections, `${key}=${value ?? 1}`];
    expect(refusalOf(base, written), key).toContain(`it is called ${JSON.stringify(now.split(".").at(-1))} now`);
  }
});

// How files, recipes and --set lie on top of one another, and what becomes of paths.
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { keysOf } from "../src/index.ts";
import { base, config } from "./settings.ts";
import { folderOf, loaded, messageOf, refusalOf } from "./support.ts";

test("a file adds to what it extends, --set to both; an empty key takes a section back; lists are replaced", () => {
  const folder = folderOf({
    "base.yaml": `${base}train:\n  steps: 7\n  rate: 3\n  betas: [0.5, 0.6]\n  evaluate: {every: 1}\n`,
    "top/run.yaml": "extends: ../base.yaml\ntrain:\n  rate: 4\n  betas: [0.1, 0.2]\n  evaluate:\n",
  });
  const { config: settings, name } = config.load(join(folder, "top/run.yaml"), ["train.noCall=zero"]);
  expect(name).toBe("run");
  expect(settings.train).toEqual({ steps: 7, rate: 4, betas: [0.1, 0.2], noCall: "zero", onFailure: "stop" });
});

test("a recipe is loaded and extended by its name, and a file beside it does not hide it", () => {
  expect(config.load("small").config.train.steps).toBe(3);
  expect(config.load("small", ["train.steps=4"])).toMatchObject({ name: "small", config: { train: { steps: 4 } } });
  const folder = folderOf({ "run.yaml": "extends: small\ntrain: {rate: 2}\n", small: "output: x" });
  expect(config.load(join(folder, "run.yaml")).config.train).toMatchObject({ steps: 3, rate: 2 });
});

test("a problem within a recipe is shown in its text", () => {
  expect(messageOf(() => config.load("broken"))).toMatch(/recipe broken:4:10: train.steps: [\s\S]* 4 \| {3}steps: 0\n/);
});

test.each(["constructor", "__proto__", "toString"])("a recipe, a key or a model called %s is none", (name) => {
  expect(messageOf(() => config.load(name))).toContain("there is no such file or recipe; `test recipes` lists them");
  expect(refusalOf(`extends: ${name}\n`)).toContain("there is no such file or recipe");
  expect(refusalOf(`model: {directory: ${name}}\n`)).toMatch(/there is no such model directory/);
  expect(refusalOf(`${base}train: {${name}: {steps: 7}}\n`)).toContain(`unknown key "${name}" in train`);
  expect(refusalOf(base, [`${name}.steps=7`])).toContain(`unknown key "${name}"`);
  expect(refusalOf(base, [`train.${name}=7`])).toContain(`unknown key "${name}" in train`);
});

test("null stays where it is a value", () => {
  expect(loaded(`${base}train: {clip: }\n`).train.clip).toBeNull();
  expect(loaded(`${base}train: {clip: }\n`, ["train.clip=2"]).train.clip).toBe(2);
});

test("--set takes a text as it stands where nothing but a text can stand, and YAML elsewhere", () => {
  expect(loaded(base, ["output=12"]).output).toMatch(/[\\/]12$/);
  expect(loaded(base, ["output=a: [b"]).output).toMatch(/[\\/]a: \[b$/);
  expect(loaded(base, ["train.noCall=1.5"]).train.noCall).toBe(1.5);
  expect(loaded(base, ["train.betas=[0.1, 0.2]"]).train.betas).toEqual([0.1, 0.2]);
  expect(loaded(`${base}output: a\n`, ["output="]).output).toBeUndefined();
});

test("paths are relative to the file they stand in; what is resolved can be loaded from anywhere", () => {
  const folder = folderOf({
    "models/a/model.json": "{}",
    "inner/base.yaml": "model: {directory: ../models/a}\noutput: here\nhook: hook.ts#two\n",
    "inner/hook.ts": "",
    "run.yaml": "extends: inner/base.yaml\n",
  });
  const { config: settings, resolved } = config.load(join(folder, "run.yaml"));
  expect(settings.model.directory).toBe(join(folder, "models/a"));
  expect(settings.output).toBe(join(folder, "inner/here"));
  expect(settings.hook).toBe(join(folder, "inner/hook.ts#two"));
  const again = folderOf({ "config.yaml": stringify(resolved) });
  expect(config.load(again).config).toEqual({ ...settings, output: again }); // wherever the directory is now
  expect(config.load(again).name).toBe(again.split(/[\\/]/).at(-1));
  const outside = config.load(again, ["output=elsewhere"]).config.output;
  expect(outside).toBe(join(process.cwd(), "elsewhere"));
});

test.each([
  [
    "model: {directory: nowhere}",
    /run.yaml:1:20: .*nowhere: there is no such model directory[\s\S]*relative to .*names are here/,
  ],
  ["model: {directory: made}", /make it by `make it`/],
  ["model: {directory: run.yaml}", /run.yaml is not a folder/],
  [`${base}data: .`, /is a folder, not a data file/],
  [`${base}hook: none.ts#two`, /none.ts: there is no such module/],
])("a path that leads nowhere, or to something else: %s", (text, message) => {
  expect(refusalOf(`${text}\n`)).toMatch(message);
});

test("files that extend one another in a circle, or too deeply, are refused", () => {
  const folder = folderOf({ "a.yaml": "extends: b.yaml\n", "b.yaml": "extends: ./a.yaml\n" });
  const message = messageOf(() => config.load(join(folder, "a.yaml")));
  expect(message).toMatch(/a.yaml extends itself: .*a.yaml -> .*b.yaml -> .*a.yaml/);
  const many = folderOf(
    Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`${i}.yaml`, i === 19 ? base : `extends: ${i + 1}.yaml\n`]),
    ),
  );
  expect(messageOf(() => config.load(join(many, "0.yaml")))).toMatch(/more than 16 files extend one another/);
});

test("the JSON Schema of a file knows extends and requires nothing; keys stand in it with their paths", () => {
  const { jsonSchema } = config;
  expect(jsonSchema).toMatchObject({ title: "test configuration", additionalProperties: false });
  expect(jsonSchema.required).toBeUndefined();
  const paths = keysOf(jsonSchema).map(({ path }) => path);
  expect(paths.slice(0, 4)).toEqual(["extends", "output", "model", "model.directory"]);
  expect(paths).toContain("train.schedule.floor");
});

test("what was recorded is checked by the same rules: an old name is told the new one", () => {
  const settings = config.check({ model: { directory: "/x" }, train: { rate: 0.5 } });
  expect(settings.train).toMatchObject({ rate: 0.5, steps: 100 });
  const old = messageOf(() => config.check({ model: { directory: "/x" }, train: { learningRate: 0.5 } }));
  expect(old).toContain('unknown key "learningRate" in train; it is called "rate" now');
});

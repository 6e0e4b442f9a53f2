// The jobs of an ablation, their order, and that iapo train takes each.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ablationJobs } from "@iapo/iapo/study";
import { loadConfig, shippedModels } from "@iapo/jobs";
import { baseDirectory } from "@iapo/nano-vl";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { temporaryFolder } from "../support/iapo.ts";

/** Directories that look like models', one for each name. */
function modelsIn(directory: string): Map<string, string> {
  const names = ["nano-student", "nano-teacher", "nano-teacher-large"];
  for (const name of names) modelAt(join(directory, name));
  return new Map(names.map((name) => [name, join(directory, name)]));
}

function modelAt(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "config.json"), "{}");
}

function withShipped(models: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...shippedModels, ...models]);
}

test("every configuration with every seed is a configuration that iapo train takes, of equal steps", () => {
  const directory = temporaryFolder();
  const jobs = ablationJobs({
    only: undefined,
    seeds: [4, 5],
    steps: 7,
    models: withShipped(modelsIn(directory)),
    directory,
  });
  const [preparation, ...experiments] = jobs;
  expect(preparation).toMatchObject({ id: "nano-make-teacher-grpo-seed-4", isPreparation: true });
  expect(experiments).toHaveLength(2 * 16);
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(jobs.length);
  expect(experiments.slice(0, 16).every(({ seed }) => seed === 4)).toBe(true);
  const decisive = new Set<string>();
  for (const { id, config, seed, needs, unavailable } of jobs) {
    expect(unavailable).toBeUndefined();
    const { directory: teacher } = (config as { teacher?: { directory: string } }).teacher ?? {};
    if (teacher !== undefined && !existsSync(teacher)) {
      expect(needs).toBe(preparation!.id);
      expect(teacher).toBe(join(directory, "models", `${needs}-after-7`));
      modelAt(teacher);
    }
    const file = join(directory, `${id}.yaml`);
    writeFileSync(file, stringify(config));
    const { config: loaded } = loadConfig(file);
    expect(loaded.grpo).toMatchObject({ seed, steps: 7 });
    const { model, teacher: compared, iapo, baseline } = loaded;
    decisive.add(JSON.stringify([seed, model, compared, iapo, baseline, loaded.grpo]));
  }
  expect(decisive.size).toBe(jobs.length);
});

test("a model that is not there makes a configuration unavailable and says how to give one", () => {
  const known = new Map([
    ["nano-student", baseDirectory],
    ["nano-teacher-large", "nowhere"],
  ]);
  const options = { seeds: [1], steps: undefined, directory: temporaryFolder() };
  const [larger] = ablationJobs({ ...options, only: ["nano-teacher-larger"], models: withShipped(known) });
  expect(larger?.unavailable).toMatch(/no model nano-teacher-large; give one by --model nano-teacher-large=DIRECTORY/);
  const [grpo] = ablationJobs({ ...options, only: ["nano-grpo"], models: withShipped(known) });
  expect(grpo).toMatchObject({ unavailable: undefined, steps: 30 });
});

test("a teacher that learns from examples is made first, by its own number of steps; assignments are not for it", () => {
  const directory = temporaryFolder();
  const models = withShipped(modelsIn(directory));
  const only = ["nano-anchored-teacher-masks", "nano-anchored-lambda-2"];
  const [maker, masks, lambda] = ablationJobs({ only, seeds: [2], steps: 7, models, directory });
  expect(maker).toMatchObject({
    id: "nano-make-teacher-masks-seed-2",
    isPreparation: true,
    steps: 300,
    config: { supervised: { seed: 2, steps: 300 }, data: { nanoCharts: { style: { effects: ["mask"] } } } },
  });
  expect(maker?.config.grpo).toBeUndefined();
  const teacher = join(directory, "models", "nano-make-teacher-masks-seed-2-after-300");
  expect(masks).toMatchObject({ needs: maker?.id, steps: 7, config: { teacher: { directory: teacher } } });
  expect(lambda).toMatchObject({ steps: 7, config: { iapo: { preset: "anchored", lambda: 2 } } });
});

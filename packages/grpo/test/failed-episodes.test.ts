// Episodes that fail in a run: their reasons are kept and told, and a run that has nothing to train on does not end as if it had.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import type { VisualContent } from "@iapo/vqa-tasks";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Alarm, evaluatePolicy, grpoRecipe, train } from "../src/index.ts";
import { chartTasks, nanoPolicy } from "./support/nano.ts";
import { rewarding, runOptions } from "./support/run.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let device: Device;
let root: string;
beforeAll(async () => {
  device = await openDevice();
  root = await mkdtemp(join(tmpdir(), "grpo-failed-"));
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

/** A run under `drop` in which the episodes that `fails` says have no verdict. */
async function run(name: string, steps: number, fails: (call: number) => boolean, resume = false) {
  let call = 0;
  const environment: Environment<VisualContent> = {
    ...rewarding,
    async step(...turn) {
      if (fails(call++)) throw new Error("the judge gave no verdict");
      return rewarding.step(...turn);
    },
  };
  const policy = await nanoPolicy(device);
  const all = await chartTasks(4);
  const options = { ...runOptions, rollout: { ...runOptions.rollout, onFailure: "drop" as const } };
  const tasks = { length: 4, task: (index: number) => all[index]! };
  const recipe = grpoRecipe({ policy, environment, tasks, learner: { learningRate: () => 1e-3 } }, options);
  const [told, alarms]: [string[], Alarm[]] = [[], []];
  const directory = join(root, name);
  const state = train(recipe, {
    ...{ directory, steps, resume, checkpoint: { every: 1, keep: 1 }, settings: {} },
    onWarning: (message) => told.push(message),
    onAlarm: (alarm) => alarms.push(alarm),
  });
  const ended = await state.catch((error: Error) => error);
  const value = await evaluatePolicy(policy, environment, tasks, { seed: 1, count: 1, rollout: options.rollout });
  recipe.dispose();
  policy.model.dispose();
  return { ended, told, alarms, directory, value };
}

test("some that fail are left out, with their reasons in the step's file, a word and an alarm", async () => {
  const { ended, told, alarms, directory } = await run("some", 2, (call) => call === 0 || call === 1);
  expect(ended).toMatchObject({ step: 2, emptySteps: 0 });
  const { log } = await readStep(join(directory, "steps/step-000000.jsonl"));
  expect(log.failures?.map(({ message }) => message)).toEqual(Array(2).fill("the judge gave no verdict"));
  expect(log.metrics["rollout/failed"]).toBe(2);
  expect(told).toEqual([
    expect.stringMatching(/^2 episodes of step 1 failed; the first, of task \S+: the judge gave no/),
  ]);
  expect(alarms.map(({ name, step }) => [name, step])).toEqual([["failed_episodes", 0]]);
  expect((await readStep(join(directory, "steps/step-000001.jsonl"))).log.failures).toBeUndefined();
});

test("where all fail the run ends with the reason after three steps, and again when it goes on", async () => {
  const says =
    /nothing to train on in 3 steps in a row: all episodes failed, the first one, of task \S+, by: the judge gave/;
  const { ended, directory, value } = await run("all", 9, () => true);
  expect(ended).toMatchObject({ code: "rollout", message: expect.stringMatching(says) });
  expect(value.score).toBe(0);
  await expect(readStep(join(directory, "steps/step-000002.jsonl"))).resolves.toMatchObject({ step: 2 });
  const again = await run("all", 9, () => true, true);
  expect(again.ended).toMatchObject({ code: "rollout", message: expect.stringMatching(/in 4 steps in a row/) });
  const corrected = await run("all", 6, () => false, true);
  expect(corrected.ended).toMatchObject({ step: 6, emptySteps: 0 });
});

test("a run of two steps in which nothing was trained on is an error too", async () => {
  const { ended } = await run("two", 2, () => true);
  expect(ended).toMatchObject({ code: "rollout", message: expect.stringMatching(/in 2 steps in a row/) });
});

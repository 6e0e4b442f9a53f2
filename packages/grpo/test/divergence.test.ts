// Runs whose numbers are lost: they end with an error, and what they leave can be gone on from.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replayStep } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type AdvantageFunction,
  type Alarm,
  Learner,
  loadCheckpoint,
  supervisedRecipe,
  supervisedStep,
  train,
  transcribeEpisode,
} from "../src/index.ts";
import { chartTasks, environment, nanoPolicy } from "./support/nano.ts";
import { nanoRun, replaying } from "./support/run.ts";

let device: Device;
let directory: string;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diverged-"));
});
afterEach(() => rm(directory, { recursive: true }));

async function checkpoints(): Promise<string[]> {
  return (await readdir(join(directory, "checkpoints")).catch(() => [])).filter((name) => name.startsWith("step-"));
}

test("a learning rate of 1e10 ends a GRPO run with an error, and leaves no checkpoint that is not finite", async () => {
  const learner = { learningRate: () => 1e10 };
  const run = nanoRun(
    device,
    { directory, steps: 8, checkpoint: { every: 1, keep: 3 }, evaluate: undefined },
    {},
    { learner },
  );
  await expect(run).rejects.toThrow(/not finite/);
  const policy = await nanoPolicy(device);
  for (const name of await checkpoints()) {
    await loadCheckpoint(policy, join(directory, "checkpoints", name));
    const trained = new Learner(policy, { learningRate: () => 0 });
    expect(await trained.isFinite()).toBe(true);
    trained.dispose();
  }
  policy.model.dispose();
});

async function examples() {
  const policy = await nanoPolicy(device);
  const [task] = await chartTasks(1);
  const written = await transcribeEpisode(policy, environment, task!, ["one"]);
  return { policy, source: { length: 1, task: () => written }, written };
}

test("weights that are NaN: each step is skipped, alarmed, and the third ends the run", async () => {
  const { policy, source, written } = await examples();
  const { master } = policy.parameters[3]!;
  master.write(new Float32Array(master.size).fill(Number.NaN));
  policy.refresh();
  const learner = new Learner(policy, { learningRate: () => 1e-3 });
  const { skipped, loss } = await supervisedStep(learner, [written]);
  expect([skipped, loss, await learner.isFinite()]).toEqual([true, Number.NaN, false]);
  learner.dispose();
  const recipe = supervisedRecipe(
    { policy, examples: source, learner: { learningRate: () => 1e-3 } },
    { seed: 1, batch: 1 },
  );
  const alarms: Alarm[] = [];
  const done: number[] = [];
  const run = train(recipe, {
    directory,
    steps: 10,
    checkpoint: { every: 10, keep: 1 },
    settings: {},
    onAlarm: (alarm) => alarms.push(alarm),
    onMetrics: (step) => done.push(step),
  });
  await expect(run).rejects.toMatchObject({
    code: "diverged",
    message: expect.stringMatching(/3 optimizer steps in a row/),
  });
  expect(done).toEqual([0, 1, 2]);
  expect(alarms.map(({ name, step }) => [name, step])).toEqual([["non_finite", 0]]);
  expect(await checkpoints()).toEqual([]);
  recipe.dispose();
  policy.model.dispose();
});

test("a checkpoint of weights from which nothing finite comes is not written", async () => {
  const { policy, source } = await examples();
  const recipe = supervisedRecipe(
    { policy, examples: source, learner: { learningRate: () => 1e30 } },
    { seed: 1, batch: 1 },
  );
  const run = train(recipe, { directory, steps: 1, checkpoint: { every: 1, keep: 1 }, settings: {} });
  await expect(run).rejects.toMatchObject({
    code: "diverged",
    message: expect.stringMatching(/after step 1 the weights/),
  });
  expect(await checkpoints()).toEqual([]);
  recipe.dispose();
  policy.model.dispose();
});

test("a single skipped step is in the log, and the run goes on", async () => {
  const advantage: AdvantageFunction = (samples) =>
    samples.map(({ trace: { step, group, sample, turns } }) =>
      turns.map(() => (step + group + sample === 0 ? 3e38 : 0.1)),
    );
  const state = await nanoRun(
    device,
    { directory, steps: 2, checkpoint: { every: 1, keep: 1 }, evaluate: undefined },
    {},
    { advantage },
  );
  expect(state).toMatchObject({ step: 2, skippedSteps: 1 });
  const step = await readStep(join(directory, "steps", "step-000000.jsonl"));
  const { log } = step;
  expect(log.updates).toHaveLength(2);
  expect(log.updates.filter(({ skipped }) => skipped)).toHaveLength(1);
  expect(log.metrics["alarm/non_finite"]).toBe(1);
  expect(await replayStep(step, { ...replaying, advantage })).toMatchObject({ updates: 2, difference: undefined });
});

test("steps that were skipped one after another are counted over a resume", async () => {
  const advantage: AdvantageFunction = (samples) => samples.map(({ trace }) => trace.turns.map(() => 3e38));
  const until = (steps: number, resume: boolean) =>
    nanoRun(
      device,
      { directory, steps, resume, checkpoint: { every: 1, keep: 1 }, evaluate: undefined, maxSkippedSteps: 5 },
      {},
      { advantage },
    );
  expect(await until(2, false)).toMatchObject({ step: 2, skippedInARow: 4 });
  await expect(until(3, true)).rejects.toMatchObject({
    code: "diverged",
    message: expect.stringMatching(/^6 optimizer steps in a row were not finite/),
  });
});

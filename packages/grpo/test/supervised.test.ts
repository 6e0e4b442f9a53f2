// Supervised steps on demonstrations in the real environment.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Trajectory } from "@iapo/rollout-trace";
import { type Device, noGrad, openDevice } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts, demonstrate } from "@iapo/vqa-tasks/nano";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Learner, supervisedRecipe, supervisedStep, train, transcribeEpisode } from "../src/index.ts";
import { nanoPolicy } from "./support/nano.ts";
import { fingerprint } from "./support/run.ts";

/** Of a step of the nano model in one pass: products, norms and attention of five layers, forward and backward, and an optimizer's step. */
const MOST_DISPATCHES = 200;

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test("demonstrations become turns, and the loss on them falls", async () => {
  const policy = await nanoPolicy(device);
  const charts = await createNanoCharts({ seed: 3 });
  const environment = createEnvironment({ options: { prompt: "compact" } });
  const examples: Trajectory[] = [];
  for (let i = 0; i < 3; i++) {
    const { task, turns } = await demonstrate(charts, "train", i);
    const written = await transcribeEpisode(policy, environment, task, turns);
    expect(written.turns.map(({ text }) => text)).toEqual(turns);
    expect(written.turns[1]!.images).toHaveLength(1);
    const learned = written.turns[0]!.tokens.filter((_, k) => written.turns[0]!.lossMask[k] === 1);
    expect(policy.processor.tokenizer.decode(learned, { skipSpecialTokens: true })).toBe(turns[0]);
    examples.push(written);
  }
  const packed = policy.pack(examples.map((example) => [example]));
  const { logProb, entropy } = noGrad(() => packed.logProbs());
  const values = [...(await logProb.values())];
  for (const item of [logProb, entropy, packed]) item.dispose();
  const learner = new Learner(policy, { learningRate: () => 5e-4 });
  const losses: number[] = [];
  for (let step = 0; step < 6; step++)
    losses.push((await supervisedStep(learner, examples, step % 2 ? 200 : undefined)).loss);
  const before = device.dispatches;
  const { loss } = await supervisedStep(learner, examples);
  if (device.facts.software) expect(device.dispatches - before).toBeLessThanOrEqual(MOST_DISPATCHES);
  expect(loss).toBeLessThan(losses[0]!);
  expect(losses[0]).toBeCloseTo(-values.reduce((sum, value) => sum + value, 0) / values.length, 4);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.5);
  await expect(
    transcribeEpisode(policy, environment, (await charts.chart("train", 0)).task, ["FINAL ANSWER: 3\n", "more"]),
  ).rejects.toThrow(/ended after turn 1 of 2/);
  learner.dispose();
  policy.model.dispose();
});

test("a supervised run checkpoints and resumes to the same bytes", async () => {
  const charts = await createNanoCharts({ seed: 3 });
  const environment = createEnvironment({ options: { prompt: "compact" } });
  const root = await mkdtemp(join(tmpdir(), "grpo-supervised-"));
  const run = async (directory: string, steps: number): Promise<Record<string, string>> => {
    const policy = await nanoPolicy(device);
    const examples = {
      length: 5,
      task: async (index: number) => {
        const { task, turns } = await demonstrate(charts, "train", index);
        return transcribeEpisode(policy, environment, task, turns);
      },
    };
    const learner = { learningRate: (step: number) => 1e-4 * (step + 1) };
    const recipe = supervisedRecipe({ policy, examples, learner }, { seed: 1, batch: 2 });
    await train(recipe, { directory, resume: true, steps, checkpoint: { every: 2, keep: 1 }, settings: {} });
    recipe.dispose();
    policy.model.dispose();
    return fingerprint(directory);
  };
  await run(join(root, "parts"), 2);
  expect(await run(join(root, "parts"), 4)).toEqual(await run(join(root, "whole"), 4));
  await rm(root, { recursive: true });
});

test("the next step's examples are made during this one's update; one that fails stops its own step", async () => {
  const policy = await nanoPolicy(device);
  const charts = await createNanoCharts({ seed: 3 });
  const environment = createEnvironment({ options: { prompt: "compact" } });
  const events: string[] = [];
  let made = 0;
  const examples = {
    length: 100,
    task: async (index: number) => {
      events.push("example");
      if (++made > 4) throw new Error(`example ${index} is gone`);
      const { task, turns } = await demonstrate(charts, "train", index);
      return transcribeEpisode(policy, environment, task, turns);
    },
  };
  const recipe = supervisedRecipe({ policy, examples, learner: { learningRate: () => 1e-4 } }, { seed: 1, batch: 2 });
  const onPhase = (phase: string): number => events.push(phase);
  const first = await recipe.step({ step: 0, cursor: 0, onPhase });
  expect(events).toEqual(["data", "example", "example", "update", "example", "example"]);
  const second = await recipe.step({ step: 1, cursor: first.cursor, onPhase });
  expect(events.slice(6)).toEqual(["data", "update", "example", "example"]);
  await expect(recipe.step({ step: 2, cursor: second.cursor })).rejects.toThrow(/example \d+ is gone/);
  recipe.dispose();
  policy.model.dispose();
});

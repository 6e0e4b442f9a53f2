// The recipe: penalties, dynamic sampling, rewards and advantages of the user's own, dropped samples, recomputed log-probs.
import type { Environment } from "@iapo/rollout-trace";
import { type Device, openDevice } from "@iapo/tensor-core";
import type { VisualContent } from "@iapo/vqa-tasks";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type GrpoOptions, type GrpoParts, grpoRecipe, type RecipeStep, tensorLoss } from "../src/index.ts";
import { groupAdvantages, lossPreset } from "../src/math/index.ts";
import { chartTasks, environment, nanoPolicy } from "./support/nano.ts";

const base: GrpoOptions = {
  seed: 1,
  groups: 2,
  rollout: { samples: 3, sampling: { temperature: 1 }, maxTokens: 6 },
  advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
  loss: lossPreset("dapo"),
};

let device: Device;
let policy: Awaited<ReturnType<typeof nanoPolicy>>;
let tasks: GrpoParts["tasks"];
beforeAll(async () => {
  device = await openDevice();
  const all = await chartTasks(8);
  tasks = { length: all.length, task: (index) => all[index]! };
});
afterAll(() => device.close());
beforeEach(async () => {
  policy?.model.dispose();
  policy = await nanoPolicy(device);
});

async function oneStep(parts: Partial<GrpoParts>, options: Partial<GrpoOptions> = {}): Promise<RecipeStep> {
  const recipe = grpoRecipe(
    { policy, environment, tasks, learner: { learningRate: () => 1e-3 }, ...parts },
    { ...base, ...options },
  );
  try {
    return await recipe.step({ step: 0, cursor: 0 });
  } finally {
    recipe.dispose();
  }
}

test("penalties come off the outcome reward, with their evidence, and move the advantages", async () => {
  const step = await oneStep({
    penalty: async (groups) =>
      groups.map((traces) => traces.map((_, i) => ({ penalty: i / 10, evidence: { share: [i, 1] } }))),
  });
  const { samples, updates } = step.log;
  expect(samples.map(({ penalty }) => penalty)).toEqual([0, 0.1, 0.2, 0, 0.1, 0.2]);
  expect(samples[1]!.evidence).toEqual({ share: [1, 1] });
  const shaped = step.traces.map(({ rewards }, i) => rewards.outcome! - (i % 3) / 10);
  expect(samples.map(({ shapedReward }) => shapedReward)).toEqual(shaped);
  const expected = groupAdvantages(shaped, [0, 0, 0, 1, 1, 1], { scale: "group", epsilon: 1e-6 });
  expect(samples.map(({ advantages }) => advantages[0])).toEqual([...expected]);
  expect(updates).toHaveLength(1);
  expect(step.metrics["critic/penalty/max"]).toBe(0.2);
  expect(step.metrics["rollout/log_prob_gap"]).toBe(0);
});

test("advantages may differ from turn to turn, be made of rewards' further parts, and reach the loss on the GPU as they are", async () => {
  const reward: GrpoParts["reward"] = ({ turns: { length }, sample, rewards }) => ({
    ...rewards,
    ...{ answer: length - 1, verifier: sample },
  });
  const advantage: GrpoParts["advantage"] = (samples) =>
    samples.map(({ trace, rewards }) =>
      trace.turns.map((_, turn) => (turn === 0 ? rewards.verifier! : -2 * rewards.answer! - 1)),
    );
  const { traces, log, metrics } = await oneStep({ reward, advantage, loss: tensorLoss(lossPreset("dapo")) });
  expect(new Set(traces.map(({ turns }) => turns.length))).toEqual(new Set([1, 2]));
  expect(log.samples.map(({ advantages }) => advantages)).toEqual(
    traces.map(({ turns, sample }) => (turns.length === 1 ? [sample] : [sample, -3])),
  );
  expect([metrics["reward/verifier"], metrics["reward/tool_call"]]).toEqual([1, expect.any(Number)]);
  // On-policy every term is -A: the loss is their mean over all tokens.
  const terms = traces.flatMap(({ turns, sample }) =>
    turns.flatMap(({ logProbs }, turn) => Array.from(logProbs, () => (turn === 0 ? -sample : 3))),
  );
  const mean = terms.reduce((sum, term) => sum + term, 0) / terms.length;
  expect(log.updates[0]!.loss).toBeCloseTo(mean, 5);
});

test("dynamic sampling goes on until groups differ, within its tries", async () => {
  // Odd tasks of the order give equal rewards.
  const reward: GrpoParts["reward"] = ({ sample, group }) => ({ outcome: group % 2 === 0 ? sample : 1 });
  const step = await oneStep({ reward }, { dynamicSampling: { by: "outcome", tries: 5 } });
  expect([...new Set(step.traces.map(({ group }) => group))]).toEqual([0, 2]);
  expect(step.cursor).toBe(4);
  expect(step.metrics.homogeneous_group_frac).toBe(0.5);
  const none = await oneStep({ reward: () => ({ outcome: 1 }) }, { dynamicSampling: { by: "outcome", tries: 2 } });
  expect([none.traces.length, none.log.updates.length, none.cursor]).toEqual([0, 0, 4]);
});

test("KL in the reward and overlong answers are penalties", async () => {
  const loss = { ...lossPreset("grpo"), kl: { where: "reward", estimator: "k1", coefficient: 0.5 } } as const;
  const { log } = await oneStep({}, { loss, overlong: { maximum: 6, buffer: 3 } });
  // The reference is the policy itself: KL is 0. Responses of one turn have 6 tokens, those of two 12: all are overlong.
  expect(log.samples.map(({ penalty }) => penalty)).toEqual([1, 1, 1, 1, 1, 1]);
  expect(log.samples.map(({ evidence }) => evidence)).toEqual(log.samples.map(() => ({ kl_penalty: [0] })));
});

test("dropped samples are logged, and take no part in the update", async () => {
  let call = 0;
  const failing = {
    ...environment,
    step: (...turn: Parameters<typeof environment.step>) =>
      call++ === 0 ? Promise.reject(new Error("broken")) : environment.step(...turn),
  };
  const rollout = { ...base.rollout, onFailure: "drop" } as const;
  const { log, metrics } = await oneStep({ environment: failing }, { rollout });
  const dropped = log.samples.filter(({ shapedReward }) => shapedReward === null);
  expect(dropped).toHaveLength(1);
  expect(dropped[0]!.advantages).toEqual([0]);
  expect(log.updates[0]!.samples).toHaveLength(5);
  expect(metrics["rollout/failed"]).toBe(1);
});

test("old log-probs by the update's kernels are those of the rollout; advantages of one's own are checked", async () => {
  const { log, traces } = await oneStep({}, { recomputeOldLogProbs: true });
  const rolled = traces.flatMap(({ turns }) => turns.flatMap(({ logProbs }) => [...logProbs]));
  expect(log.updates[0]!.samples.flatMap(({ oldLogProbs }) => [...oldLogProbs!])).toEqual(rolled);
  await expect(oneStep({ advantage: (samples) => samples.map(() => [Number.NaN]) })).rejects.toThrow(
    "its advantages are [NaN]",
  );
});

test.each([
  { kind: "dapo", epochs: 1 },
  { kind: "gspo", epochs: 2 },
  { kind: "cispo", epochs: 2 },
] as const)("rewards rise: %o", async ({ kind, epochs }) => {
  // Even token ids are rewarded: chance gives a half.
  const evens: Environment<VisualContent> = {
    contentSchema: environment.contentSchema,
    prompt: (task) => environment.prompt(task).slice(0, 1),
    step: async () => ({ done: { rewards: { outcome: 0 } } }),
  };
  const reward: GrpoParts["reward"] = ({ turns: [turn] }) => {
    const written = turn!.tokens.filter((_, i) => turn!.lossMask[i] === 1);
    return { outcome: written.filter((id) => id % 2 === 0).length / written.length };
  };
  const recipe = grpoRecipe(
    { policy, environment: evens, tasks, reward, learner: { learningRate: () => 5e-3 } },
    {
      ...base,
      rollout: { samples: 64, sampling: { temperature: 1 }, maxTokens: 4 },
      loss: lossPreset(kind),
      update: { epochs },
    },
  );
  const rewards: number[] = [];
  for (let step = 0; step < 10; step++) {
    const made = await recipe.step({ step, cursor: 2 * step });
    rewards.push(made.metrics["critic/score/mean"]!);
  }
  recipe.dispose();
  expect(rewards[0]).toBeLessThan(0.6);
  expect(rewards.at(-1)).toBeGreaterThan(0.7);
});

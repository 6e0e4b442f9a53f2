/** A step of an IAPO run, from traces on disk to loss, recomputed by the functions that made it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ImageRef,
  type ReplayFunctions,
  replayStep,
  type Step,
  sampledTokens,
  type Trace,
  type Turn,
} from "@iapo/rollout-trace";
import { readStep, writeStep } from "@iapo/rollout-trace/files";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AdvantageOptions, lossOptionsSchema } from "../../src/config.ts";
import { groupAdvantages, type LossOptions } from "../../src/math/index.ts";
import { replayFunctions } from "../../src/run/replay.ts";

const lambda = 0.1;

function klPenalty(student: readonly number[], teacher: readonly number[]): number {
  return lambda * student.reduce((sum, share, block) => sum + share * Math.log(share / teacher[block]!), 0);
}

/** The functions of a run: what its configuration says, bound to this package's math. */
function runFunctions(advantage: Omit<AdvantageOptions, "kind">, loss: LossOptions): ReplayFunctions {
  return {
    rewards: ({ task, turns }) => ({ outcome: turns.at(-1)!.text === task.content ? 1 : 0 }),
    penalty: (_trace, { student, teacher }) => klPenalty(student!, teacher!),
    advantage: (samples) => {
      const shaped = samples.map(({ shapedReward }) => shapedReward);
      const perSample = groupAdvantages(
        shaped,
        samples.map(({ trace }) => trace.group),
        advantage,
      );
      return samples.map(({ trace }, index) => trace.turns.map(() => perSample[index]!));
    },
    loss: replayFunctions({ loss, advantage: { kind: "grpo", ...advantage } }, { rewards: () => ({}) }).loss,
  };
}

const image: ImageRef = { id: "0".repeat(64), width: 1, height: 1, channels: 3 };

function writtenTurn(text: string, seed: number): Turn<ImageRef> {
  const length = 2 + text.length;
  return {
    tokens: Int32Array.from({ length }, (_, index) => index),
    blocks: new Int16Array(length).fill(-1),
    lossMask: Uint8Array.from({ length }, (_, index) => (index < 2 ? 0 : 1)),
    logProbs: Float32Array.from({ length: text.length }, (_, index) => -0.2 - ((seed * 7 + index * 3) % 11) / 5),
    temperature: 1,
    bannedIds: [],
    images: [],
    text,
    finish: seed === 0 ? "length" : "stop",
    freshPrompt: false,
  };
}

/** Two groups of four two-turn samples and two updates, logged by the functions of the run. */
async function loggedStep(functions: ReplayFunctions): Promise<Step> {
  const traces = Array.from({ length: 8 }, (_, index): Trace<ImageRef> => {
    const [group, sample] = [index >> 2, index & 3];
    const answer = group === 0 && sample % 2 === 0 ? "1969" : "12";
    return {
      version: 2,
      step: 0,
      group,
      sample,
      policyVersion: 0,
      task: {
        id: `${group}`,
        source: "test",
        split: "train",
        content: "1969",
      },
      blocks: [{ id: "image", kind: "image", image }],
      turns: [writtenTurn("call", 3), writtenTurn(answer, index)],
      toolOutcomes: [],
      rewards: { outcome: answer === "1969" ? 1 : 0 },
    };
  });
  const evidenceOf = (index: number) => ({ student: [0.1 + index / 10, 0.9 - index / 10], teacher: [0.4, 0.6] });
  const samples = traces.map((trace, index) => {
    const penalty = functions.penalty(trace, evidenceOf(index));
    return { trace, rewards: trace.rewards, penalty, shapedReward: trace.rewards.outcome! - penalty };
  });
  const advantages = functions.advantage(samples);
  const updates = [0, 1].map((update) => {
    const batch = samples.flatMap((sample, index) => {
      if (index % 2 !== update) return [];
      const { logProbs: old, turns } = sampledTokens(sample.trace);
      const logProbs = old.map((value, token) => value + ((token % 5) - 2) / 10);
      const referenceLogProbs = old.map((value, token) => value + ((token % 3) - 1) / 4);
      return [
        {
          ...sample,
          advantages: advantages[index]!,
          turnOfToken: turns,
          logProbs,
          oldLogProbs: old,
          rolloutLogProbs: old,
          referenceLogProbs,
        },
      ];
    });
    const logged = batch.map(({ trace, logProbs, referenceLogProbs }) => ({
      group: trace.group,
      sample: trace.sample,
      logProbs,
      referenceLogProbs,
    }));
    return { samples: logged, loss: Math.fround(functions.loss(batch)) };
  });
  const log = samples.map(({ trace, penalty, shapedReward }, index) => ({
    group: trace.group,
    sample: trace.sample,
    evidence: evidenceOf(index),
    penalty,
    shapedReward,
    advantages: advantages[index]!,
  }));
  return { step: 0, traces, log: { samples: log, updates, metrics: { "actor/lr": 1e-4 } } };
}

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "replay-"));
});
afterAll(() => rm(root, { recursive: true }));

const advantage = { scale: "group", epsilon: 1e-6 } as const;
const lossCases = [
  { kind: "grpo", kl: { estimator: "k3", coefficient: 0.04 } },
  { kind: "dapo", importance: { level: "sequence" } },
  { kind: "dr_grpo", constantLength: 32 },
  { kind: "gspo" },
  { kind: "cispo", turns: "final_only" },
  { kind: "sapo" },
  { kind: "reinforce", maskTruncated: true },
];

test.each(lossCases)("a step of $kind replays from disk within 1e-6, in f32 logged", async (options) => {
  const functions = runFunctions(advantage, lossOptionsSchema.parse(options));
  const step = await loggedStep(functions);
  expect(step.log.updates.every(({ loss }) => loss !== 0)).toBe(true);
  const report = await replayStep(await readStep(await writeStep(join(root, options.kind), step)), functions);
  expect(report).toMatchObject({ samples: 8, updates: 2, difference: undefined });
  expect(report.largestDifference).toBeLessThan(1e-6);
});

test("other settings than those of the run are noticed at the first number they change", async () => {
  const step = await loggedStep(runFunctions(advantage, lossOptionsSchema.parse({ kind: "grpo" })));
  const otherLoss = runFunctions(advantage, lossOptionsSchema.parse({ kind: "dapo" }));
  expect((await replayStep(step, otherLoss)).difference).toMatchObject({ what: "loss", update: 0 });
  const otherScale = runFunctions({ scale: "none", epsilon: 0 }, lossOptionsSchema.parse({ kind: "grpo" }));
  expect((await replayStep(step, otherScale)).difference).toMatchObject({ what: "advantage", group: 0, sample: 0 });
});

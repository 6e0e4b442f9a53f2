// Numbers that are not finite, put in at every place where they can come from: the step is not applied, whatever the loss makes of them.
import type { Trajectory } from "@iapo/rollout-trace";
import {
  add,
  type Device,
  gatherRows,
  logSoftmax,
  openDevice,
  RowIndex,
  reshape,
  type Tensor,
} from "@iapo/tensor-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Learner, type ScoredGroup, type TrainablePolicy, updatePolicy } from "../src/index.ts";
import { klEstimators, type LossOptions, lossKinds, lossPreset } from "../src/math/index.ts";

const TOKENS = [3, 0, 2, 3]; // of two responses, two each
const VOCABULARY = 4;

let device: Device;
let logits: Tensor;
beforeAll(async () => {
  device = await openDevice();
});
beforeEach(() => {
  logits = device.tensor([0.3, -0.2, 0.1, 0.4], [VOCABULARY]);
});
afterAll(() => device.close());

/** A policy of one distribution over four tokens, whose forward pass can go wrong at one token. */
function tabularPolicy(fault: { logProb?: number; entropy?: number } = {}): TrainablePolicy {
  const at = (poison = 0): Tensor => device.tensor([0, poison, 0, 0], [TOKENS.length]);
  return {
    device,
    version: 0,
    parameters: [{ name: "logits", run: logits, master: logits }],
    pack: () => ({
      logProbs() {
        const ids = RowIndex.of(device, TOKENS, VOCABULARY);
        const own = reshape(gatherRows(reshape(logSoftmax(logits), [VOCABULARY, 1]), ids), [TOKENS.length]);
        return { logProb: add(own, at(fault.logProb)), entropy: at(fault.entropy) };
      },
      dispose() {},
    }),
    refresh() {},
    reference: () => {
      throw new Error("not needed here");
    },
    open: () => {
      throw new Error("not needed here");
    },
  };
}

function response(tokens: readonly number[]): Trajectory {
  const turn = {
    tokens: Int32Array.from([0, ...tokens]),
    blocks: Int16Array.from([0, ...tokens.map(() => -1)]),
    lossMask: Uint8Array.from([0, ...tokens.map(() => 1)]),
    logProbs: Float32Array.from(tokens, () => Math.log(0.25)),
    temperature: 1,
    bannedIds: [],
    images: [],
    text: "",
    freshPrompt: true,
  };
  return { turns: [turn] };
}

interface Constants {
  readonly old?: number;
  readonly reference?: number;
  readonly advantage?: number;
}

function groupOf({ old = -1.4, reference = -1.5, advantage = 1 }: Constants = {}): ScoredGroup {
  const [first, second] = [response(TOKENS.slice(0, 2)), response(TOKENS.slice(2))];
  const task = { id: "t", source: "test", split: "train", content: null };
  return [first, second].map((trajectory, sample) => ({
    trace: {
      version: 2,
      step: 0,
      group: 0,
      sample,
      policyVersion: 0,
      task,
      blocks: [],
      toolOutcomes: [],
      rewards: {},
      ...trajectory,
    } as never,
    advantages: [sample === 0 ? advantage : -1],
    oldLogProbs: Float32Array.of(-1.3, old),
    referenceLogProbs: Float32Array.of(-1.3, reference),
  }));
}

const losses: LossOptions[] = [
  ...lossKinds.map((kind) => ({ ...lossPreset(kind), constantLength: 2 })),
  ...[...klEstimators.keys()].map((estimator) => ({
    ...lossPreset("dapo"),
    kl: { where: "loss" as const, estimator, coefficient: 0.1 },
  })),
];

const faults: [string, Parameters<typeof tabularPolicy>[0], Constants][] = [
  ["a log-prob", { logProb: Number.NaN }, {}],
  ["a log-prob of minus infinity", { logProb: Number.NEGATIVE_INFINITY }, {}],
  ["an entropy", { entropy: Number.NaN }, {}],
  ["an old log-prob", {}, { old: Number.NaN }],
  ["an old log-prob of minus infinity", {}, { old: Number.NEGATIVE_INFINITY }],
  ["a reference's log-prob", {}, { reference: Number.POSITIVE_INFINITY }],
  ["an advantage", {}, { advantage: Number.NaN }],
];

test.each(faults)(
  "%s that is not finite: no loss's step is applied, and the next one is",
  async (_, fault, constants) => {
    for (const loss of losses) {
      const before = await logits.values();
      const policy = tabularPolicy(fault);
      const learner = new Learner(policy, { learningRate: () => 0.1 });
      const [batch] = await updatePolicy(learner, [groupOf(constants)], { loss }, [1, 1]);
      expect(batch?.outcome.skipped, loss.kind).toBe(true);
      expect([learner.steps, learner.skipped, learner.skippedInARow, policy.version]).toEqual([1, 1, 1, 0]);
      expect(await logits.values()).toEqual(before);
      learner.dispose();
    }
    const learner = new Learner(tabularPolicy(), { learningRate: () => 0.1 });
    const [fine] = await updatePolicy(learner, [groupOf()], { loss: lossPreset("dapo") }, [1, 1]);
    expect([fine?.outcome.skipped, learner.skippedInARow]).toEqual([false, 0]);
    learner.dispose();
  },
);

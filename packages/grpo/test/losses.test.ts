// Every loss, KL estimator and advantage of the registries: the GPU half and its gradients against the f64 half, NaN too, and what holds for any of them.

import * as ops from "@iapo/tensor-core";
import { type Device, grad, openDevice, scope, type Tensor } from "@iapo/tensor-core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { advantageDefinition, advantageKinds } from "../src/advantages/registry.ts";
import { tensorLoss, uploadConstants } from "../src/index.ts";
import {
  aggregationOf,
  aggregationWeights,
  batchCounts,
  computeLoss,
  importanceWeights,
  klEstimators,
  type LossOptions,
  lossKinds,
  lossPreset,
} from "../src/math/index.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Deterministic numbers in [0, 1). */
function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Responses of 0 to 12 tokens; ratios from e^-1 to e, some far out; some tokens masked. */
function randomBatch(seed: number, responses = 9) {
  const random = stream(seed);
  const lengths = Array.from({ length: responses }, () => Math.floor(random() * 13));
  const offsets = Int32Array.from({ length: responses + 1 }, (_, row) =>
    lengths.slice(0, row).reduce((sum, length) => sum + length, 0),
  );
  const tokens = offsets[responses]!;
  const of = (value: (i: number) => number): Float32Array => Float32Array.from({ length: tokens }, (_, i) => value(i));
  const logProbs = of(() => -4 * random());
  const mask = Uint8Array.from({ length: tokens }, () => (random() < 0.85 ? 1 : 0));
  const perResponse = Array.from({ length: responses }, () => Math.fround(4 * random() - 2));
  const advantages = Float64Array.from(
    { length: tokens },
    (_, i) => perResponse[offsets.findIndex((end) => end > i) - 1]!,
  );
  const oldLogProbs = of((i) => logProbs[i]! + (random() < 0.1 ? 8 : 2) * (random() - 0.5));
  const referenceLogProbs = of((i) => logProbs[i]! + (random() < 0.1 ? 30 : 2) * (random() - 0.5));
  const rolloutLogProbs = of((i) => oldLogProbs[i]! + random() - 0.5);
  return { batch: { offsets, mask, logProbs, oldLogProbs }, advantages, referenceLogProbs, rolloutLogProbs };
}

async function onGpu(inputs: ReturnType<typeof randomBatch>, options: LossOptions) {
  const { batch, advantages, referenceLogProbs, rolloutLogProbs } = inputs;
  const aggregation = aggregationOf(options, batchCounts(batch));
  const logProb = device.tensor(Float32Array.from(batch.logProbs), [batch.logProbs.length]);
  const { value, gradients } = scope(() => {
    const constants = uploadConstants(device, {
      ...batch,
      advantages,
      tokenWeights: aggregationWeights(aggregation, batch),
      importance: options.importance && importanceWeights(batch, rolloutLogProbs, options.importance),
      referenceLogProbs,
    });
    return grad(() => tensorLoss(options)({ logProb, entropy: logProb, ...constants }, ops), [logProb]);
  });
  const read = { loss: await value.item(), gradient: await gradients[0]!.values() };
  for (const tensor of [logProb, value, gradients[0] as Tensor]) tensor.dispose();
  return read;
}

const variants: [string, LossOptions][] = lossKinds.flatMap((kind) =>
  (["token", "sequence", "constant"] as const).map((aggregation): [string, LossOptions] => [
    `${kind}, ${aggregation}`,
    { ...lossPreset(kind), aggregation, constantLength: 12 },
  ]),
);
for (const estimator of klEstimators.keys()) {
  variants.push([`dapo, ${estimator}`, { ...lossPreset("dapo"), kl: { where: "loss", estimator, coefficient: 0.3 } }]);
}
variants.push([
  "dapo, truncated importance",
  { ...lossPreset("dapo"), importance: { level: "token", mode: "truncate", maximum: 1.2 } },
]);
variants.push([
  "grpo, masked importance of responses, k3",
  {
    ...lossPreset("grpo"),
    importance: { level: "sequence", mode: "mask", maximum: 3, minimum: 0.3 },
    kl: { where: "loss", estimator: "k3", coefficient: 0.01 },
  },
]);

test.each(variants)("%s", async (_name, options) => {
  for (const seed of [1, 2, 3]) {
    const inputs = randomBatch(seed);
    const expected = computeLoss(inputs, options);
    const { loss, gradient } = await onGpu(inputs, options);
    const largest = Math.max(...expected.gradient.map(Math.abs));
    expect(Math.abs(loss - expected.loss)).toBeLessThan(2e-5 * Math.max(1, Math.abs(expected.loss)));
    const worst = Math.max(...expected.gradient.map((value, i) => Math.abs(value - gradient[i]!)));
    expect(worst).toBeLessThan(1e-5 * largest);
  }
});

test.each(variants)("%s: a log-prob that is NaN makes the loss NaN, in f64 and on the GPU", async (_name, options) => {
  const inputs = randomBatch(5);
  const token = inputs.batch.mask.indexOf(1);
  const logProbs = inputs.batch.logProbs.map((value, i) => (i === token ? Number.NaN : value));
  const poisoned = { ...inputs, batch: { ...inputs.batch, logProbs } };
  expect(computeLoss(poisoned, options).loss).toBeNaN();
  expect((await onGpu(poisoned, options)).loss).toBeNaN();
});

test("a ratio of exactly 1 has the full gradient", async () => {
  const inputs = randomBatch(4);
  const onPolicy = { ...inputs, batch: { ...inputs.batch, oldLogProbs: inputs.batch.logProbs } };
  for (const kind of lossKinds) {
    const options = { ...lossPreset(kind), constantLength: 12 };
    const expected = computeLoss(onPolicy, options);
    const { gradient } = await onGpu(onPolicy, options);
    expected.gradient.forEach((value, i) => {
      expect(Math.abs(value - gradient[i]!)).toBeLessThan(1e-6);
    });
  }
});

const rewards = fc.array(fc.oneof(fc.constant(Number.NaN), fc.integer({ min: -8, max: 8 })), { maxLength: 12 });

test.each(advantageKinds)(
  "advantage %s: unscored, lone and equal responses get 0, a shift of rewards changes nothing",
  (kind) => {
    const { advantages } = advantageDefinition(kind);
    const settings = { scale: "group", epsilon: 1e-6 } as const;
    fc.assert(
      fc.property(rewards, fc.integer({ min: -4, max: 4 }), (values, shift) => {
        const groups = values.map((_, row) => row % 3);
        const made = advantages(values, groups, settings);
        expect(made).toHaveLength(values.length);
        expect(made.every(Number.isFinite)).toBe(true);
        for (const [row, value] of values.entries()) {
          const members = values.filter((one, i) => groups[i] === groups[row] && !Number.isNaN(one));
          if (Number.isNaN(value) || new Set(members).size < 2) expect(made[row]).toBe(0);
          else expect(Math.sign(made[row]!)).toBe(Math.sign(value * members.length - members.reduce((a, b) => a + b)));
        }
        const shifted = advantages(
          values.map((value) => value + shift),
          groups,
          settings,
        );
        expect(made.every((value, row) => Math.abs(value - shifted[row]!) < 1e-9)).toBe(true);
      }),
    );
  },
);

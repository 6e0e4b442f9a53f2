// The GPU losses and their gradients against `./math` in f64, on random batches.
import { type Device, grad, openDevice, scope, type Tensor } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tensorLoss, uploadConstants } from "../../src/index.ts";
import {
  aggregationWeights,
  batchCounts,
  computeLoss,
  importanceWeights,
  type LossKind,
  type LossOptions,
  lossPresets,
} from "../../src/math/index.ts";
import { klEstimators } from "../../src/math/kl.ts";

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
  const offsets = [0];
  for (let r = 0; r < responses; r++) offsets.push(offsets.at(-1)! + Math.floor(random() * 13));
  const tokens = offsets.at(-1)!;
  const of = (value: (i: number) => number): Float64Array =>
    Float64Array.from({ length: tokens }, (_, i) => Math.fround(value(i)));
  const logProbs = of(() => -4 * random());
  const mask = Uint8Array.from({ length: tokens }, () => (random() < 0.85 ? 1 : 0));
  const perResponse = Array.from({ length: responses }, () => Math.fround(4 * random() - 2));
  const advantages = of((i) => perResponse[offsets.findIndex((end) => end > i) - 1]!);
  const oldLogProbs = of((i) => logProbs[i]! + (random() < 0.1 ? 8 : 2) * (random() - 0.5));
  const referenceLogProbs = of((i) => logProbs[i]! + (random() < 0.1 ? 30 : 2) * (random() - 0.5));
  const rolloutLogProbs = of((i) => oldLogProbs[i]! + random() - 0.5);
  return { batch: { offsets, mask, logProbs, oldLogProbs }, advantages, referenceLogProbs, rolloutLogProbs };
}

async function onGpu(inputs: ReturnType<typeof randomBatch>, options: LossOptions) {
  const { batch, advantages, referenceLogProbs, rolloutLogProbs } = inputs;
  const counts = batchCounts(batch);
  const aggregation =
    options.aggregation === "constant"
      ? { kind: "constant" as const, length: options.constantLength!, sequences: counts.sequences }
      : { kind: options.aggregation, ...counts };
  const logProb = device.tensor(Float32Array.from(batch.logProbs), [batch.logProbs.length]);
  const { value, gradients } = scope(() => {
    const constants = uploadConstants(device, {
      ...batch,
      advantages,
      shares: aggregationWeights(aggregation, batch),
      importance: options.importance && importanceWeights(batch, rolloutLogProbs, options.importance),
      referenceLogProbs,
    });
    return grad(() => tensorLoss(options)({ logProb, entropy: logProb, ...constants }), [logProb]);
  });
  const read = { loss: await value.item(), gradient: await gradients[0]!.values() };
  for (const tensor of [logProb, value, gradients[0] as Tensor]) tensor.dispose();
  return read;
}

const kinds = Object.keys(lossPresets) as LossKind[];
const variants: [string, LossOptions][] = kinds.flatMap((kind) =>
  (["token", "sequence", "constant"] as const).map((aggregation): [string, LossOptions] => [
    `${kind}, ${aggregation}`,
    { ...lossPresets[kind], aggregation, constantLength: 12 },
  ]),
);
for (const estimator of klEstimators) {
  variants.push([`dapo, ${estimator}`, { ...lossPresets.dapo, kl: { where: "loss", estimator, coefficient: 0.3 } }]);
}
variants.push([
  "dapo, truncated importance",
  { ...lossPresets.dapo, importance: { level: "token", mode: "truncate", maximum: 1.2 } },
]);
variants.push([
  "grpo, masked importance of responses, k3",
  {
    ...lossPresets.grpo,
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

test("a ratio of exactly 1 has the full gradient", async () => {
  const inputs = randomBatch(4);
  const onPolicy = { ...inputs, batch: { ...inputs.batch, oldLogProbs: inputs.batch.logProbs } };
  for (const kind of kinds) {
    const options = { ...lossPresets[kind], constantLength: 12 };
    const expected = computeLoss(onPolicy, options);
    const { gradient } = await onGpu(onPolicy, options);
    expected.gradient.forEach((value, i) => {
      expect(Math.abs(value - gradient[i]!)).toBeLessThan(1e-6);
    });
  }
});

// Distillation by loss on the shipped nano models: divergences and loss against f64, gradients by differences of the weights, pieces, replay.
import { teacherDirectory } from "@iapo/nano-vl";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { type Device, deriveSeed, noGrad, openDevice, scope, type Tensor } from "@iapo/tensor-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { likeliestIds } from "../src/distillation/likeliest.ts";
import type { LossDistillation } from "../src/distillation/settings.ts";
import {
  Learner,
  type PredictingRows,
  prepareMiniBatch,
  rollout,
  type ScoredGroup,
  sumGradients,
} from "../src/index.ts";
import { computeLoss, logitDivergence, lossPreset, topDivergence } from "../src/math/index.ts";
import { charts, chartTasks, nanoPolicy } from "./support/nano.ts";

let device: Device;
let policy: Awaited<ReturnType<typeof nanoPolicy>>;
let teacher: QwenVLPolicy;
let learner: Learner;
let groups: ScoredGroup[];

beforeAll(async () => {
  device = await openDevice();
  policy = await nanoPolicy(device, { weights: "student" });
  teacher = await QwenVLPolicy.load(device, { directory: teacherDirectory, dtype: "f32" }, { frozen: true });
  learner = new Learner(policy, { learningRate: () => 1e-3 });
  const options = { samples: 3, sampling: { temperature: 0.8 }, maxTokens: 48 };
  const place = { step: 0, seed: (...at: number[]) => deriveSeed("distillation", ...at) };
  const rolled = await rollout(policy, charts, await chartTasks(2, { names: "words" }), options, place);
  groups = rolled.groups.map((traces) =>
    traces.map((trace, i) => ({ trace, advantages: trace.turns.map(() => (i % 2 === 0 ? 1 : -1)) })),
  );
});
afterAll(() => {
  learner.dispose();
  for (const { model } of [policy, teacher]) model.dispose();
  device.close();
});

const loss = lossPreset("dapo");

async function prepared(settings: LossDistillation, microBatchTokens?: number) {
  const { topK } = settings;
  const traces = groups.map((group) => group.map(({ trace }) => trace));
  const found = topK === undefined ? undefined : await likeliestIds(teacher, traces, topK, 300);
  const taught = groups.map((group, g) => group.map((one, i) => ({ ...one, likeliest: found?.[g]?.[i] })));
  return prepareMiniBatch(learner, taught, { loss, distillation: { settings, teacher }, microBatchTokens })!;
}

async function gradientsOf(settings: LossDistillation, microBatchTokens?: number) {
  const batch = await prepared(settings, microBatchTokens);
  const { gradients, outputs } = await sumGradients(policy, batch.pieces);
  const values = await Promise.all(gradients.map(async (gradient) => Float64Array.from(await gradient.values())));
  const read = async (tensors: readonly (Tensor | undefined)[]) =>
    (await Promise.all(tensors.map(async (tensor) => [...((await tensor?.values()) ?? [])]))).flat();
  const made = {
    batch,
    values,
    loss: (await read(outputs.map((output) => output.loss))).reduce((a, b) => a + b, 0),
    logProbs: Float32Array.from(await read(outputs.map(({ logProb }) => logProb))),
    divergences: await read(outputs.map(({ divergence }) => divergence)),
  };
  for (const tensor of [...gradients, ...outputs.flatMap((output) => Object.values(output))]) tensor?.dispose();
  return made;
}

/** Sets the masters, and what forward passes read. */
function write(valuesOf: (parameter: number) => Float32Array): void {
  for (const [i, { master }] of policy.parameters.entries()) {
    using values = device.tensor(valuesOf(i), master.shape);
    device.copyBytes(values, 0, master, 0, master.bytes);
  }
  policy.refresh();
}

/** [tokens][vocabulary] in f64 from the rows that predict them, scaled; those of banned ids are left out. */
async function logitsByToken(model: QwenVLPolicy): Promise<Float64Array[]> {
  const packed = model.pack(groups.map((group) => group.map(({ trace }) => trace)));
  const { rows = [] } = noGrad(() => scope(() => ({ rows: packed.logProbs({ keepRows: true }).rows })));
  packed.dispose();
  const all: Float64Array[] = [];
  for (const { hidden, head, temperature, bannedIds, rows: places, tokens } of rows as readonly PredictingRows[]) {
    const [h, w] = [await hidden.values(), await head.values()];
    const [vocabulary = 0, width = 0] = head.shape;
    const ids = Array.from({ length: vocabulary }, (_, id) => id).filter((id) => !bannedIds.includes(id));
    tokens.forEach((token, i) => {
      all[token] = Float64Array.from(ids, (id) => {
        let sum = 0;
        for (let k = 0; k < width; k++) sum += h[places[i]! * width + k]! * w[id * width + k]!;
        return sum / temperature;
      });
    });
    hidden.dispose();
  }
  return all;
}

const cases: LossDistillation[] = (["forward", "reverse"] as const).flatMap((direction) => [
  { kind: "loss", mix: 1, direction },
  { kind: "loss", mix: 0.3, direction, topK: 5 },
]);

describe.each(cases)("$direction, mix $mix, top $topK", (settings) => {
  const { direction, topK, mix } = settings;

  test("divergences and loss are those of f64", async () => {
    const [own, other] = [await logitsByToken(policy), await logitsByToken(teacher)];
    const expected = own.map((student, token) => {
      if (topK === undefined) return logitDivergence(student, other[token]!, direction).value;
      const [p, q] = [logSoftmax(student), logSoftmax(other[token]!)];
      const ids = [...q.keys()].sort((a, b) => q[b]! - q[a]!).slice(0, topK);
      const of = (values: Float64Array) => ids.map((id) => values[id]!);
      return topDivergence(of(p), of(q), direction).value;
    });
    const { divergences, loss: found, batch, logProbs } = await gradientsOf(settings);
    expect(divergences).toHaveLength(expected.length);
    expect(Math.max(...expected)).toBeGreaterThan(0.5);
    divergences.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-4 * Math.max(1, expected[i]!));
    });
    const { constants, rolloutLogProbs } = batch;
    const { advantages } = constants;
    const inputs = { batch: { ...constants, logProbs }, advantages, rolloutLogProbs };
    const whole = computeLoss({ ...inputs, distillation: { divergences, mix } }, loss);
    expect(found).toBeCloseTo(whole.loss, 5);
    if (mix < 1) expect(whole.loss).not.toBeCloseTo(whole.divergence * mix, 5);
  });

  test("the gradient is that of the loss by differences of the weights; pieces add up to it", async () => {
    const made = await gradientsOf(settings);
    // Along the gradient itself, the loss rises by its squared norm.
    const squared = made.values.reduce((sum, values) => sum + values.reduce((s, x) => s + x * x, 0), 0);
    const step = 1e-3 / Math.sqrt(squared);
    const moved = async (by: number): Promise<number> => {
      const before = await Promise.all(policy.parameters.map(({ master }) => master.read()));
      write((i) => Float32Array.from(before[i]!, (x, k) => x + by * made.values[i]![k]!));
      const { loss: value } = await gradientsOf(settings);
      write((i) => Float32Array.from(before[i]!));
      return value;
    };
    const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
    expect(slope / squared).toBeCloseTo(1, 1);
    const pieces = await gradientsOf(settings, 400);
    expect(pieces.batch.pieces.length).toBeGreaterThan(1);
    expect(pieces.divergences).toEqual(made.divergences);
    const difference = pieces.values.reduce(
      (sum, values, i) => sum + values.reduce((s, x, k) => s + (x - made.values[i]![k]!) ** 2, 0),
      0,
    );
    expect(Math.sqrt(difference / squared)).toBeLessThan(1e-5);
  });
});

test("steps on the divergence bring the student to the teacher", async () => {
  const own = await nanoPolicy(device, { weights: "student" });
  const student = new Learner(own, { learningRate: () => 1e-3 });
  const settings = { kind: "loss", mix: 1, direction: "reverse" } as const;
  const values: number[] = [];
  for (let step = 0; step < 4; step++) {
    const { pieces } = prepareMiniBatch(student, groups, { loss, distillation: { settings, teacher } })!;
    values.push((await student.step(pieces)).loss);
  }
  expect(values.at(-1)).toBeLessThan(0.7 * values[0]!);
  student.dispose();
  own.model.dispose();
});

function logSoftmax(z: Float64Array): Float64Array {
  const largest = z.reduce((a, b) => Math.max(a, b));
  const total = largest + Math.log(z.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  return z.map((x) => x - total);
}

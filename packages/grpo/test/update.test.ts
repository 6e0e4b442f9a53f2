// The update on a nano model, of random weights and as it is shipped: ratios of 1, split gradients, epochs and mini-batches, steps that are
// not finite.
import { type Device, deriveSeed, dot, multiply, negate, openDevice, sum, type Tensor } from "@iapo/tensor-core";
import { withFailingAllocations } from "@iapo/tensor-core/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Learner,
  prepareMiniBatch,
  rollout,
  type ScoredGroup,
  scoreTraces,
  sumGradients,
  type TensorLoss,
  type TrainablePolicy,
  updatePolicy,
} from "../src/index.ts";
import { lossPreset } from "../src/math/index.ts";
import { charts, chartTasks, environment, type NanoOptions, nanoPolicy } from "./support/nano.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const learningRate = (): number => 1e-3;

interface Rollouts {
  readonly count?: number;
  readonly weights?: NanoOptions["weights"];
}

/** Rolls out some groups and gives their samples alternating advantages. */
async function scoredGroups(
  policy: TrainablePolicy,
  { count = 2, weights = "random" }: Rollouts = {},
): Promise<ScoredGroup[]> {
  const shipped = weights === "student";
  const tasks = await chartTasks(count, shipped ? { names: "words" } : {});
  const options = { samples: 4, sampling: { temperature: 1 }, maxTokens: shipped ? 48 : 12 };
  const place = { step: 0, seed: (...at: number[]) => deriveSeed("update", ...at) };
  const { groups } = await rollout(policy, shipped ? charts : environment, tasks, options, place);
  return groups.map((traces) =>
    traces.map((trace, i) => ({ trace, advantages: trace.turns.map(() => (i % 2 === 0 ? 1 : -1) * (1 + i)) })),
  );
}

test.each([
  { dtype: "f32" },
  { dtype: "bf16" },
  { dtype: "f32", lora: true },
  { dtype: "f32", weights: "student" },
  { dtype: "bf16", weights: "student" },
] as const satisfies NanoOptions[])(
  "the first mini-batch has ratios of 1 to the bit, the second has not: %o",
  async (kind: NanoOptions) => {
    const policy = await nanoPolicy(device, kind);
    const learner = new Learner(policy, { learningRate });
    const groups = await scoredGroups(policy, kind);
    const [first, second] = await updatePolicy(
      learner,
      groups,
      { loss: lossPreset("dapo"), epochs: 2 },
      deriveSeed("order"),
    );
    const lengths = new Set(groups.flat().map(({ trace }) => trace.turns.length));
    expect(lengths, "the shipped student nearly always calls a tool").toEqual(new Set(kind.weights ? [2] : [1, 2]));
    expect(groups.flat().some(({ trace }) => trace.turns[1]?.images.length === 1)).toBe(true);
    expect(first!.outcome.logProbs).toEqual(first!.constants.oldLogProbs);
    expect(second!.outcome.logProbs).not.toEqual(second!.constants.oldLogProbs);
    // At a ratio of 1 nothing is clipped: each token has the gradient of its own advantage.
    const { advantages, tokenWeights } = first!.constants;
    const expected = Array.from(advantages, (advantage, token) => -advantage * tokenWeights[token]!);
    expect([...first!.computed!.gradient]).toEqual(expected);
    expect(expected.every((gradient) => gradient !== 0)).toBe(true);
    // Every sampled token counts, the first of each response too.
    const sampled = groups.flat().flatMap(({ trace }) => trace.turns.map(({ logProbs }) => logProbs.length));
    expect(first!.constants.mask).toHaveLength(sampled.reduce((sum, length) => sum + length, 0));
    expect(tokenWeights.every((weight) => weight > 0)).toBe(true);
    expect(policy.version).toBe(2);
    expect(first!.outcome.skipped).toBe(false);
    expect(first!.outcome.gradientNorm).toBeGreaterThan(0);
    learner.dispose();
    policy.model.dispose();
  },
);

test.each([{ weights: "random" }, { weights: "student" }] as const)(
  "the first token of every turn is in the loss on the GPU, and has a gradient: %o",
  async (kind) => {
    const policy = await nanoPolicy(device, kind);
    const learner = new Learner(policy, { learningRate });
    const groups = await scoredGroups(policy, kind);
    const turns = groups.flat().flatMap(({ trace }) => trace.turns);
    const isFirst = turns.flatMap(({ logProbs }) => Array.from(logProbs, (_, i) => (i === 0 ? 1 : 0)));
    const customLoss: TensorLoss = ({ logProb }) =>
      dot(logProb, device.tensor(Float32Array.from(isFirst), [logProb.size]));
    const options = { loss: lossPreset("dapo"), customLoss };
    const [batch] = await updatePolicy(learner, groups, options, deriveSeed("order"));
    const expected = turns.reduce((sum, { logProbs }) => sum + logProbs[0]!, 0);
    expect(batch!.outcome.loss / expected).toBeCloseTo(1, 6);
    expect(batch!.outcome.gradientNorm).toBeGreaterThan(0);
    learner.dispose();
    policy.model.dispose();
  },
);

test("responses that were cut off are marked in the trace, and left out of the loss where that is asked", async () => {
  const policy = await nanoPolicy(device);
  const learner = new Learner(policy, { learningRate });
  const [group = []] = await scoredGroups(policy, { count: 1 });
  for (const { trace } of group) {
    for (const { finish, logProbs } of trace.turns) {
      expect(["stop", "length"]).toContain(finish);
      if (logProbs.length < 12) expect(finish).toBe("stop");
    }
  }
  expect(group.some(({ trace }) => trace.turns.some(({ finish }) => finish === "length"))).toBe(true);
  // The last response is whole.
  const marked = group.map(({ trace, ...others }, i) => {
    const turns = trace.turns.map((turn) => ({ ...turn, finish: i === 3 ? ("stop" as const) : ("length" as const) }));
    return { ...others, trace: { ...trace, turns } };
  });
  const loss = { ...lossPreset("dapo"), maskTruncated: true };
  const { offsets, mask, tokenWeights } = prepareMiniBatch(learner, [marked], { loss })!.constants;
  const start = offsets[3]!;
  expect(Array.from(mask, (counts, token) => counts === (token >= start ? 1 : 0))).not.toContain(false);
  expect(tokenWeights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
  expect(tokenWeights.subarray(0, start).every((weight) => weight === 0)).toBe(true);
  const cut = marked.slice(0, 3);
  expect(prepareMiniBatch(learner, [cut], { loss })).toBeUndefined();
  learner.dispose();
  policy.model.dispose();
});

test("gradients of pieces add up to that of the whole, and memory comes back", async () => {
  const policy = await nanoPolicy(device);
  const learner = new Learner(policy, { learningRate });
  const groups = await scoredGroups(policy, { count: 3 });
  const live = device.memory().liveBytes;
  const options = {
    loss: { ...lossPreset("grpo"), kl: { where: "loss", estimator: "k3", coefficient: 0.1 } as const },
  };
  const reference = policy.reference();
  const scores = await scoreTraces(
    reference,
    groups.map((group) => group.map(({ trace }) => trace)),
    1000,
  );
  const withReference = groups.map((group, g) =>
    group.map((one, i) => ({ ...one, referenceLogProbs: scores[g]![i]!.map((logProb) => logProb - 0.1) })),
  );
  const gradientsOf = async (microBatchTokens?: number): Promise<{ pieces: number; values: Float64Array }> => {
    const { pieces } = prepareMiniBatch(learner, withReference, { ...options, microBatchTokens })!;
    const { gradients, outputs } = await sumGradients(policy, pieces);
    const read = await Promise.all(gradients.map((gradient) => gradient.values()));
    for (const { loss, logProb, entropy } of outputs) for (const tensor of [loss, logProb, entropy]) tensor.dispose();
    for (const gradient of gradients) gradient.dispose();
    return { pieces: pieces.length, values: Float64Array.from(read.flatMap((values) => [...values])) };
  };
  const norm = (values: Float64Array): number => Math.hypot(...chunked(values));
  const whole = await gradientsOf();
  expect(whole.pieces).toBe(1);
  for (const [microBatchTokens, pieces] of [
    [300, undefined],
    [1, 12],
  ] as const) {
    const split = await gradientsOf(microBatchTokens);
    expect(split.pieces).toBeGreaterThan(1);
    if (pieces) expect(split.pieces).toBe(pieces);
    expect(norm(whole.values.map((value, i) => value - split.values[i]!))).toBeLessThan(1e-6 * norm(whole.values));
  }
  reference.dispose();
  expect(device.memory().liveBytes).toBe(live);
  learner.dispose();
  policy.model.dispose();
});

/** `Math.hypot` takes its values on the stack. */
function chunked(values: Float64Array): number[] {
  const parts: number[] = [];
  for (let i = 0; i < values.length; i += 1000) parts.push(Math.hypot(...values.subarray(i, i + 1000)));
  return parts;
}

test("a step that is not finite changes nothing and is counted", async () => {
  const policy = await nanoPolicy(device);
  const learner = new Learner(policy, { learningRate });
  const groups = await scoredGroups(policy, { count: 1 });
  const read = async (): Promise<string> =>
    String(await Promise.all(policy.parameters.slice(0, 20).map(({ master }) => master.values())));
  const before = await read();
  const broken: TensorLoss = ({ logProb }): Tensor => multiply(negate(sum(logProb)), 3e38);
  const options = { loss: lossPreset("dapo"), customLoss: broken };
  const [batch] = await updatePolicy(learner, groups, options, deriveSeed("order"));
  expect(batch!.outcome.skipped).toBe(true);
  expect([learner.steps, learner.skipped, policy.version]).toEqual([1, 1, 0]);
  expect(await read()).toBe(before);
  const [next] = await updatePolicy(learner, groups, { loss: lossPreset("dapo") }, deriveSeed("order"));
  expect(next!.outcome.skipped).toBe(false);
  expect(await read()).not.toBe(before);
  expect(await learner.optimizer.readSteps()).toEqual({ applied: 1, skipped: 1 });
  learner.dispose();
  policy.model.dispose();
});

test("a signal ends a step before its gradients are there: nothing has changed, nothing stays, and the step can be made again", async () => {
  const policy = await nanoPolicy(device);
  const learner = new Learner(policy, { learningRate });
  const groups = await scoredGroups(policy);
  const { pieces } = prepareMiniBatch(learner, groups, { loss: lossPreset("grpo"), microBatchTokens: 600 })!;
  const before = device.memory().liveBytes;
  const stop = new AbortController();
  const leaving = learner.step(pieces, stop.signal);
  stop.abort(new Error("enough"));
  await expect(leaving).rejects.toThrow("enough");
  expect(device.memory().liveBytes).toBe(before);
  expect([learner.steps, policy.version]).toEqual([0, 0]);
  const made = await learner.step(pieces, new AbortController().signal);

  const again = new Learner(await nanoPolicy(device), { learningRate });
  expect(await again.step(pieces)).toEqual(made);
  for (const one of [learner, again]) {
    one.dispose();
    (one.policy as typeof policy).model.dispose();
  }
});

test("a step in which any of the last allocations fails, those of the optimizer among them, leaves nothing", async () => {
  const policy = await nanoPolicy(device);
  const learner = new Learner(policy, { learningRate });
  const { pieces } = prepareMiniBatch(learner, await scoredGroups(policy), { loss: lossPreset("grpo") })!;
  const step = async (): Promise<void> => void (await learner.step(pieces));
  const { allocations } = await withFailingAllocations(device, { from: Number.POSITIVE_INFINITY }, step);
  for (let from = allocations - 20; from <= allocations; from++)
    expect(await withFailingAllocations(device, { from }, step)).toMatchObject({ failed: true });
  learner.dispose();
  policy.model.dispose();
});

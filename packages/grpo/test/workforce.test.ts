// Pieces of an update that others compute: the same weights and moments to the bit, whoever computed which; and groups by themselves beside packed ones.
import { type Device, deriveSeed, openDevice, type Tensor } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  computePieces,
  type GradientPart,
  Learner,
  type Piece,
  policyPiece,
  prepareMiniBatch,
  rollout,
  type ScoredGroup,
  sumGradients,
  type TrainablePolicy,
  updatePolicy,
  type Workforce,
} from "../src/index.ts";
import { lossPreset } from "../src/math/index.ts";
import { chartTasks, environment, type NanoOptions, nanoPolicy } from "./support/nano.ts";

vi.setConfig({ testTimeout: 300_000 });

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const options = { loss: lossPreset("dapo"), epochs: 1, split: "group" } as const;

async function scoredGroups(policy: TrainablePolicy): Promise<ScoredGroup[]> {
  const place = { step: 0, seed: (...at: number[]) => deriveSeed("workforce", ...at) };
  const how = { samples: 2, sampling: { temperature: 1 }, maxTokens: 6 };
  const { groups } = await rollout(policy, environment, await chartTasks(3), how, place);
  return groups.map((traces) => traces.map((trace, i) => ({ trace, advantages: trace.turns.map(() => 1 - 2 * i) })));
}

/** Parts whose number `takes` wants, from traces and constants alone, as a worker makes them; the first one has `together` pieces. */
function workforce(
  policy: TrainablePolicy,
  takes: (part: number) => boolean,
  together: number,
): Pick<Workforce, "gradients"> & { readonly made: number[] } {
  const made: number[] = [];
  return {
    made,
    gradients: (pieces) => {
      const own = pieces.flatMap(({ groups, share }) =>
        share?.kind === "policy" ? [policyPiece(device, groups, share.constants, options)] : [],
      );
      const first = own.slice(0, together);
      return [first, ...own.slice(together).map((piece) => [piece])].map((part, i) => {
        if (takes(i)) made.push(part.length);
        return { pieces: part.length, computed: takes(i) ? computePieces(policy, part) : Promise.resolve(undefined) };
      });
    },
  };
}

function normOf(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

async function trained(kind: NanoOptions, takes: (part: number) => boolean, together = 1) {
  const policy = await nanoPolicy(device, kind);
  const helpers = workforce(policy, takes, together);
  const learner = new Learner(policy, { learningRate: () => 1e-3 }, helpers);
  const batches = await updatePolicy(learner, await scoredGroups(policy), options, deriveSeed("order"));
  const moments = learner.optimizer.moments.flatMap(({ first, second }) => [first, second]);
  const tensors: Tensor[] = [...policy.parameters.flatMap(({ run, master }) => [run, master]), ...moments];
  const values = await Promise.all(tensors.map((tensor) => tensor.values()));
  learner.dispose();
  return { values, outcomes: batches.map(({ outcome }) => outcome), made: helpers.made };
}

test.each([{ dtype: "f32" }, { dtype: "bf16" }, { dtype: "f32", lora: true }] as const satisfies NanoOptions[])(
  "weights, moments and outcomes are the same to the bit: %o",
  async (kind) => {
    const alone = await trained(kind, () => false);
    const some = await trained(kind, (part) => part % 2 === 1);
    const all = await trained(kind, () => true);
    const begun = await trained(kind, (part) => part === 0, 2);
    const rest = await trained(kind, (part) => part === 1, 2);
    const whole = await trained(kind, () => true, 3);
    expect(alone.made).toEqual([]);
    expect([some, all, begun, rest, whole].map(({ made }) => made)).toEqual([[1], [1, 1, 1], [2], [1], [3]]);
    for (const other of [some, all, begun, rest, whole]) {
      expect(other.outcomes).toEqual(alone.outcomes);
      expect(other.values).toEqual(alone.values);
    }
  },
);

test("groups by themselves have the gradients of packed ones, but for the order of sums", async () => {
  const policy = await nanoPolicy(device, { dtype: "f32" });
  const learner = new Learner(policy, { learningRate: () => 1e-3 });
  const groups = await scoredGroups(policy);
  const gradientsOf = async (split: "packed" | "group") => {
    const batch = prepareMiniBatch(learner, groups, { ...options, split });
    const pieces: readonly Piece[] = batch?.pieces ?? [];
    const { gradients, outputs } = await sumGradients(policy, pieces);
    const values = await Promise.all(gradients.map((tensor) => tensor.values()));
    for (const tensor of [...gradients, ...outputs.flatMap(({ loss, logProb, entropy }) => [loss, logProb, entropy])])
      tensor.dispose();
    return { pieces: pieces.length, values: values.flatMap((part) => [...part]) };
  };
  const [packed, split] = [await gradientsOf("packed"), await gradientsOf("group")];
  learner.dispose();
  expect([packed.pieces, split.pieces]).toEqual([1, 3]);
  const norm = normOf(packed.values);
  const apart = normOf(packed.values.map((value, i) => value - (split.values[i] ?? Number.NaN)));
  expect(norm).toBeGreaterThan(0);
  expect(apart / norm).toBeLessThan(1e-6);
});

type Wrong = (pieces: readonly Piece[], policy: TrainablePolicy) => readonly GradientPart[];
const wrongs: readonly (readonly [string, code: string, Wrong])[] = [
  [
    "of other weights",
    "shape",
    (pieces, policy) =>
      pieces.map((piece) => ({
        pieces: 1,
        computed: computePieces(policy, [piece]).then((made) => ({ ...made, gradients: made.gradients.slice(1) })),
      })),
  ],
  [
    "of other pieces",
    "shape",
    (pieces, policy) => [{ pieces: pieces.length, computed: computePieces(policy, pieces.slice(1)) }],
  ],
  [
    "of too few pieces",
    "argument",
    (pieces, policy) => [{ pieces: 1, computed: computePieces(policy, pieces.slice(0, 1)) }],
  ],
  [
    "summed from the middle",
    "argument",
    (pieces) => [
      { pieces: 1, computed: Promise.resolve(undefined) },
      { pieces: pieces.length - 1, computed: Promise.resolve(undefined) },
    ],
  ],
];

test.each(wrongs)("gradients %s are refused, and the weights are as they were", async (_, code, wrong) => {
  const policy = await nanoPolicy(device, { dtype: "f32" });
  const gradients = (pieces: readonly Piece[]): readonly GradientPart[] => wrong(pieces, policy);
  const learner = new Learner(policy, { learningRate: () => 1e-3 }, { gradients });
  const before = await Promise.all(policy.parameters.map(({ master }) => master.values()));
  const groups = await scoredGroups(policy);
  await expect(updatePolicy(learner, groups, options, deriveSeed("order"))).rejects.toMatchObject({ code });
  expect(await Promise.all(policy.parameters.map(({ master }) => master.values()))).toEqual(before);
  learner.dispose();
});

// Pieces of an update that others compute: the same weights and moments to the bit, whoever computed which; and groups by themselves beside packed ones.
import { type Device, deriveSeed, openDevice, type Tensor } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  computePiece,
  Learner,
  type Piece,
  policyPiece,
  prepareMiniBatch,
  rollout,
  type ScoredGroup,
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

const options = { loss: lossPreset("dapo"), epochs: 1, miniBatch: 2, split: "group" } as const;

async function scoredGroups(policy: TrainablePolicy): Promise<ScoredGroup[]> {
  const place = { step: 0, seed: (...at: number[]) => deriveSeed("workforce", ...at) };
  const how = { samples: 2, sampling: { temperature: 1 }, maxTokens: 6 };
  const { groups } = await rollout(policy, environment, await chartTasks(3), how, place);
  return groups.map((traces) => traces.map((trace, i) => ({ trace, advantages: trace.turns.map(() => 1 - 2 * i) })));
}

/** Pieces whose number `takes` wants, from their traces and constants alone, as a worker makes them. */
function workforce(
  policy: TrainablePolicy,
  takes: (piece: number) => boolean,
): Pick<Workforce, "gradients"> & { readonly made: number[] } {
  const made: number[] = [];
  return {
    made,
    gradients: (pieces) =>
      pieces.map((piece, i) => {
        if (!takes(i) || piece.share?.kind !== "policy") return undefined;
        made.push(i);
        return computePiece(policy, policyPiece(device, piece.groups, piece.share.constants, options));
      }),
  };
}

function normOf(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

async function trained(kind: NanoOptions, takes: (piece: number) => boolean) {
  const policy = await nanoPolicy(device, kind);
  const helpers = workforce(policy, takes);
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
    const some = await trained(kind, (piece) => piece % 2 === 1);
    const all = await trained(kind, () => true);
    expect([alone.made, some.made, all.made].map(({ length }) => length)).toEqual([0, 1, 3]);
    for (const other of [some, all]) {
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
    const { gradients, outputs } = await learner.gradients(pieces);
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

test("a piece of other weights is refused, and the weights are as they were", async () => {
  const policy = await nanoPolicy(device, { dtype: "f32" });
  const wrong: Pick<Workforce, "gradients"> = {
    gradients: (pieces) =>
      pieces.map(async (piece) => {
        const made = await computePiece(policy, piece);
        return { ...made, gradients: made.gradients.slice(1) };
      }),
  };
  const learner = new Learner(policy, { learningRate: () => 1e-3 }, wrong);
  const before = await Promise.all(policy.parameters.map(({ master }) => master.values()));
  const groups = await scoredGroups(policy);
  await expect(updatePolicy(learner, groups, options, deriveSeed("order"))).rejects.toMatchObject({ code: "shape" });
  expect(await Promise.all(policy.parameters.map(({ master }) => master.values()))).toEqual(before);
  learner.dispose();
});

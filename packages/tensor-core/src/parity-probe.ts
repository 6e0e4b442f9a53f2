// Does this adapter give equal bits for the same numbers, however a computation is cut? Where it does, a rollout's log-probs are those of the update.
import type { Device } from "./device/device.ts";
import { scope } from "./memory/scope.ts";
import { add } from "./ops/add.ts";
import { addScaled } from "./ops/add-scaled.ts";
import { attention } from "./ops/attention/attention.ts";
import { rowSegment } from "./ops/attention/plan.ts";
import { Segments } from "./ops/attention/segments.ts";
import { cast } from "./ops/cast.ts";
import { concat } from "./ops/concat.ts";
import { logProbs } from "./ops/head/log-probs.ts";
import { linear } from "./ops/matmul/linear.ts";
import { linearTogether, takesUpdate } from "./ops/matmul/together.ts";
import { randomNormal } from "./ops/random/tensors.ts";
import { reshape } from "./ops/reshape.ts";
import { rmsNorm } from "./ops/rms-norm.ts";
import { rowRange } from "./ops/row-range.ts";
import { sample } from "./ops/sampling/sample.ts";
import { siluGate } from "./ops/silu-gate.ts";
import type { Tensor } from "./tensor.ts";

export interface ParityCheck {
  readonly name: "linear f32" | "linear bf16" | "fused layer" | "attention" | "log-probs";
  readonly holds: boolean;
  /** Values that differ in any bit, of those compared. */
  readonly different: number;
  readonly compared: number;
}

export interface ParityReport {
  /** All checks hold: a run on this adapter may take its sampled log-probs as they are. */
  readonly holds: boolean;
  readonly checks: readonly ParityCheck[];
  readonly milliseconds: number;
}

/** Rows of a batch, and of an output: on a card enough for its largest tile. */
const SIZES = { software: { rows: 200, out: 72 }, card: { rows: 4200, out: 1024 } } as const;
/** Rows that are computed again apart: decoding has few, each with kernels of its own. */
const APART = [1, 2, 4, 8, 16, 64];
/** More blocks of the canonical order than a kernel takes side by side. */
const INNER = 2304;
/** A card has other kernels for heads above 64; a software adapter takes seconds to compile them. */
const HEAD_DIMS = { software: [32], card: [32, 128] } as const;

const kindOf = ({ facts }: Device): "software" | "card" => (facts.software ? "software" : "card");

/** Runs each pair of kernels that must agree, on fixed numbers. Takes well under a second once the kernels are compiled. */
export async function parityProbe(device: Device): Promise<ParityReport> {
  const start = performance.now();
  const checks: ParityCheck[] = [];
  const check = async (name: ParityCheck["name"], [a, b]: readonly [Tensor, Tensor]): Promise<void> => {
    const [x, y] = [bits(await a.values()), bits(await b.values())];
    for (const tensor of [a, b]) tensor.dispose();
    const different = x.reduce((count, word, i) => count + (word === y[i] ? 0 : 1), 0);
    checks.push({ name, holds: different === 0 && x.length === y.length, different, compared: x.length });
  };
  await check(
    "linear f32",
    scope(() => linearPair(device, "f32")),
  );
  await check(
    "linear bf16",
    scope(() => linearPair(device, "bf16")),
  );
  // The other family fuses less, and its kernels are those of software adapters, which tests compare.
  if (device.facts.family !== "software")
    await check(
      "fused layer",
      scope(() => fusedPair(device)),
    );
  await check(
    "attention",
    scope(() => joined(HEAD_DIMS[kindOf(device)].map((headDim) => attentionPair(device, headDim)))),
  );
  await check("log-probs", await compareLogProbs(device));
  return { holds: checks.every(({ holds }) => holds), checks, milliseconds: performance.now() - start };
}

const bits = (values: Float32Array | Int32Array | Uint32Array): Uint32Array => new Uint32Array(values.buffer);

/** Each list as one tensor. */
function joined(pairs: readonly (readonly [Tensor, Tensor])[]): [Tensor, Tensor] {
  const side = (which: 0 | 1): Tensor =>
    concat(
      pairs.map((pair) => reshape(pair[which], [pair[which].size])),
      0,
    );
  return [side(0), side(1)];
}

/** The last rows of a batch, and apart, as decoding has them. */
function linearPair(device: Device, dtype: "f32" | "bf16"): [Tensor, Tensor] {
  const { rows, out } = SIZES[kindOf(device)];
  const x = randomNormal(device, [rows, INNER], [1, 1]);
  const weight = cast(randomNormal(device, [out, INNER], [1, 2]), dtype);
  const all = linear(x, weight);
  const last = (matrix: Tensor, count: number): Tensor => rowRange(matrix, rows - count, rows);
  return joined(APART.map((count) => [last(all, count), linear(last(x, count), weight)]));
}

/** Rows as decoding has them, with norm, adapter, gate and residual in the product's kernel; and of a batch, op by op. */
function fusedPair(device: Device): [Tensor, Tensor] {
  const { rows, out } = SIZES[kindOf(device)];
  const [rank, scale, epsilon, half] = [16, 0.5, 1e-6, out / 2];
  const random = (shape: readonly number[], stream: number): Tensor => randomNormal(device, shape, [4, stream]);
  const [x, residual, normWeight] = [random([rows, INNER], 1), random([rows, out], 2), random([INNER], 3)];
  const weight = cast(random([out, INNER], 4), "bf16");
  const [a, up] = [random([2 * rank, INNER], 5), random([out, rank], 6)];
  const prologue = { kind: "norm", weight: normWeight, epsilon } as const;
  const update = { a, up, rank, scale, ends: [half, out] } as const;
  const adapted = (input: Tensor, which: 0 | 1): Tensor => {
    const part = (matrix: Tensor, size: number): Tensor => rowRange(matrix, which * size, (which + 1) * size);
    const z = linear(linear(input, part(a, rank)), part(up, half));
    return addScaled(linear(input, part(weight, half)), z, scale);
  };
  const normed = rmsNorm(x, normWeight, epsilon);
  const gated = siluGate(adapted(normed, 0), adapted(normed, 1));
  const added = add(residual, concat([adapted(x, 0), adapted(x, 1)], 1));
  const last = (matrix: Tensor, count: number): Tensor => rowRange(matrix, rows - count, rows);
  return joined(
    APART.filter((count) => takesUpdate(count, weight)).flatMap((count) => [
      [last(gated, count), linearTogether(last(x, count), weight, { prologue, update, gate: true })],
      [last(added, count), linearTogether(last(x, count), weight, { update, residual: last(residual, count) })],
    ]),
  );
}

/** The last query of a causal run, and alone behind a cache of two ranges. */
function attentionPair(device: Device, headDim: number): [Tensor, Tensor] {
  const [heads, kvHeads, count] = [4, 2, 200];
  const shape = { heads, kvHeads, headDim, scale: headDim ** -0.5 };
  const q = randomNormal(device, [count, heads * headDim], [2, 1]);
  const k = randomNormal(device, [count, kvHeads * headDim], [2, 2]);
  const v = randomNormal(device, [count, kvHeads * headDim], [2, 3]);
  const whole = rowSegment(0, count);
  const prefixCount = 77;
  const last = { ...whole, queryCount: 1, prefixCount, ownStart: prefixCount, ownCount: count - prefixCount };
  const all = attention(q, k, v, Segments.of(device, [whole]), shape);
  return [
    rowRange(all, count - 1, count),
    attention(rowRange(q, count - 1, count), k, v, Segments.of(device, [last]), shape),
  ];
}

/** The log-prob of a sampled id from stored logits, and the head's over slices of the vocabulary. */
async function compareLogProbs(device: Device): Promise<readonly [Tensor, Tensor]> {
  const [inner, out] = [600, 520];
  const inputs = scope(() => ({
    hidden: randomNormal(device, [1, inner], [3, 1]),
    weight: randomNormal(device, [out, inner], [3, 2]),
    seeds: device.tensor(Uint32Array.of(1, 2), [1, 2]),
  }));
  const { hidden, weight, seeds } = inputs;
  const drawn = scope(() => sample(linear(hidden, weight), { temperature: 0.7, seeds, position: 0 }));
  const pairs = { rows: Int32Array.of(0), targets: Int32Array.from(await drawn.ids.read()) };
  const { logProb, entropy } = scope(() => logProbs(hidden, weight, pairs, { temperature: 0.7 }));
  for (const tensor of [hidden, weight, seeds, drawn.ids, entropy]) tensor.dispose();
  return [drawn.logProbs, logProb];
}

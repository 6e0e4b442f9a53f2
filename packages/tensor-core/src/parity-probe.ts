// Does this adapter give equal bits for the same numbers, however a computation is cut? Where it does, a rollout's log-probs are those of the update.
import type { Device } from "./device/device.ts";
import { scope } from "./memory/scope.ts";
import { attention } from "./ops/attention/attention.ts";
import { rowSegment } from "./ops/attention/plan.ts";
import { Segments } from "./ops/attention/segments.ts";
import { cast } from "./ops/cast.ts";
import { logProbs } from "./ops/head/log-probs.ts";
import { linear } from "./ops/matmul/linear.ts";
import { randomNormal } from "./ops/random/tensors.ts";
import { rowRange } from "./ops/row-range.ts";
import { sample } from "./ops/sampling/sample.ts";
import type { Tensor } from "./tensor.ts";

export interface ParityCheck {
  readonly name: "linear f32" | "linear bf16" | "attention" | "log-probs";
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

const ROWS = 40;
const INNER = 600;
const OUT = 520;
const SHAPE = { heads: 4, kvHeads: 2, headDim: 32, scale: 32 ** -0.5 } as const;

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
  await check(
    "attention",
    scope(() => attentionPair(device)),
  );
  await check("log-probs", await compareLogProbs(device));
  return { holds: checks.every(({ holds }) => holds), checks, milliseconds: performance.now() - start };
}

const bits = (values: Float32Array | Int32Array | Uint32Array): Uint32Array => new Uint32Array(values.buffer);

/** The last row in a batch, and alone, as decoding has it. */
function linearPair(device: Device, dtype: "f32" | "bf16"): [Tensor, Tensor] {
  const x = randomNormal(device, [ROWS, INNER], [1, 1]);
  const weight = cast(randomNormal(device, [OUT, INNER], [1, 2]), dtype);
  return [rowRange(linear(x, weight), ROWS - 1, ROWS), linear(rowRange(x, ROWS - 1, ROWS), weight)];
}

/** The last query of a causal run, and alone behind a cache of two ranges. */
function attentionPair(device: Device): [Tensor, Tensor] {
  const { heads, kvHeads, headDim } = SHAPE;
  const count = 200;
  const q = randomNormal(device, [count, heads * headDim], [2, 1]);
  const k = randomNormal(device, [count, kvHeads * headDim], [2, 2]);
  const v = randomNormal(device, [count, kvHeads * headDim], [2, 3]);
  const whole = rowSegment(0, count);
  const prefixCount = 77;
  const last = { ...whole, queryCount: 1, prefixCount, ownStart: prefixCount, ownCount: count - prefixCount };
  const all = attention(q, k, v, Segments.of(device, [whole]), SHAPE);
  return [
    rowRange(all, count - 1, count),
    attention(rowRange(q, count - 1, count), k, v, Segments.of(device, [last]), SHAPE),
  ];
}

/** The log-prob of a sampled id from stored logits, and the head's over slices of the vocabulary. */
async function compareLogProbs(device: Device): Promise<readonly [Tensor, Tensor]> {
  const inputs = scope(() => ({
    hidden: randomNormal(device, [1, INNER], [3, 1]),
    weight: randomNormal(device, [OUT, INNER], [3, 2]),
    seeds: device.tensor(Uint32Array.of(1, 2), [1, 2]),
  }));
  const { hidden, weight, seeds } = inputs;
  const drawn = scope(() => sample(linear(hidden, weight), { temperature: 0.7, seeds, position: 0 }));
  const pairs = { rows: Int32Array.of(0), targets: Int32Array.from(await drawn.ids.read()) };
  const { logProb, entropy } = scope(() => logProbs(hidden, weight, pairs, { temperature: 0.7 }));
  for (const tensor of [hidden, weight, seeds, drawn.ids, entropy]) tensor.dispose();
  return [drawn.logProbs, logProb];
}

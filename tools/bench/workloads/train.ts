// What a training step is made of: one transformer block forward and backward, and one AdamW step over many weights.
// The block, rows of x [T,d], weights [out,in], head h of q, k, v and o in columns h*D to (h+1)*D, no positions:
//   x1 = x + attention(q, k, v) wo^T          with q, k, v = n wq^T, n wk^T, n wv^T, n = rmsNorm(x) gain1, causal
//   x2 = x1 + (silu(m wgate^T) * m wup^T) wdown^T        with m = rmsNorm(x1) gain2, epsilon 1e-6
//   loss = mean of x2^2; outputs are `loss` and `d<name>`, the gradient of x and of each weight.
import { sampleIndices, uniform } from "../harness/random.ts";
import type { Arrays, Case, Probe, Workload } from "../harness/types.ts";
import { blockReference } from "./block-reference.ts";

export interface BlockCase extends Case {
  readonly kind: "block";
  readonly T: number;
  readonly d: number;
  readonly heads: number;
  readonly hidden: number;
}

/** One step from zero moments: p -= rate * (m' / (sqrt(v') + epsilon) + decay * p), with bias-corrected m' and v'. */
export interface AdamWCase extends Case {
  readonly kind: "adamw";
  readonly size: number;
  readonly rate: number;
  readonly decay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export type TrainCase = BlockCase | AdamWCase;

function block(d: number, T: number): BlockCase {
  const hidden = 3 * d;
  const forward = 2 * T * (4 * d * d + 3 * d * hidden) + 2 * T * T * d; // attention: half of the T*T pairs are seen
  return {
    name: `block d${d} T${T} forward+backward`,
    unit: "GFLOP/s",
    work: 3 * forward,
    bound: "multiplyAdd",
    tolerance: 1e-3,
    goal: { ratioToBestPeer: 4 },
    ...{ kind: "block", T, d, heads: d / 64, hidden },
  };
}

function adamw(size: number): AdamWCase {
  return {
    name: `AdamW ${size / 2 ** 20}M`,
    unit: "GB/s",
    work: size * 4 * 7, // reads weight, gradient, two moments; writes weight, two moments
    bound: "copy",
    tolerance: 1e-5,
    goal: { fractionOfPeak: 0.6 },
    ...{ kind: "adamw", size, rate: 1e-3, decay: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  };
}

/** Shapes of the block's weights. */
export function blockShapes({ d, hidden }: BlockCase): Record<string, readonly number[]> {
  return {
    ...{ gain1: [d], wq: [d, d], wk: [d, d], wv: [d, d], wo: [d, d] },
    ...{ gain2: [d], wgate: [hidden, d], wup: [hidden, d], wdown: [d, hidden] },
  };
}

function blockInputs(of: BlockCase): Arrays {
  const weights = Object.entries(blockShapes(of)).map(([name, shape], index) => {
    const values = uniform(
      10 + index,
      shape.reduce((a, b) => a * b),
    );
    const fanIn = shape[1];
    return [name, values.map((value) => (fanIn === undefined ? 1 + value : value * Math.sqrt(12 / fanIn)))];
  });
  return { x: uniform(9, of.T * of.d).map((value) => value * 2), ...Object.fromEntries(weights) };
}

function expectedAdamW(of: AdamWCase, { p, g }: Arrays): Probe[] {
  const indices = sampleIndices(5, of.size, 256);
  const values = indices.map((index) => {
    const weight = (p as Float32Array)[index] as number;
    const gradient = (g as Float32Array)[index] as number; // after one step the corrected moments are g and g^2
    return weight - of.rate * (gradient / (Math.abs(gradient) + of.epsilon) + of.decay * weight);
  });
  return [{ output: "p", indices, values }];
}

export const train: Workload<TrainCase> = {
  name: "train",
  cases: [block(256, 256), block(512, 512), block(512, 1024), adamw(4 * 2 ** 20)],

  inputs(of) {
    return of.kind === "block" ? blockInputs(of) : { p: uniform(1, of.size), g: uniform(2, of.size) };
  },

  expected(of): Probe[] {
    const inputs = train.inputs(of);
    if (of.kind === "adamw") return expectedAdamW(of, inputs);
    return Object.entries(blockReference(of, inputs)).map(([output, values]) => {
      const indices = values.length === 1 ? [0] : sampleIndices(6, values.length, 128);
      return { output, indices, values: indices.map((index) => values[index] as number) };
    });
  },
};

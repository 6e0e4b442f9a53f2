// The larger part of a training step: one transformer block forward and backward.
// Rows of x [T,d], weights [out,in], head h of q, k, v and o in columns h*D to (h+1)*D, no positions:
//   x1 = x + attention(q, k, v) wo^T          with q, k, v = n wq^T, n wk^T, n wv^T, n = rmsNorm(x) gain1, causal
//   x2 = x1 + (silu(m wgate^T) * m wup^T) wdown^T        with m = rmsNorm(x1) gain2, epsilon 1e-6
//   loss = mean of x2^2; outputs are `loss` and `d<name>`, the gradient of x and of each weight.
import { sampleIndices, uniform } from "../harness/random.ts";
import type { Arrays, Probe, Workload } from "../harness/types.ts";
import { type BlockCase, blockReference } from "./block-reference.ts";

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
    ...{ T, d, heads: d / 64, hidden },
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

export const train: Workload<BlockCase> = {
  name: "train",
  cases: [block(256, 256), block(512, 512), block(512, 1024)],

  inputs: blockInputs,

  expected(of): Probe[] {
    return Object.entries(blockReference(of, blockInputs(of))).map(([output, values]) => {
      const indices = values.length === 1 ? [0] : sampleIndices(6, values.length, 128);
      return { output, indices, values: indices.map((index) => values[index] as number) };
    });
  },
};

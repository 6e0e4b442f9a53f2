// C = op(A) op(B). NN: A [M,K], B [K,N]. NT: A [M,K], B [N,K], a linear layer. TN: A [K,M], B [K,N], a weight gradient.
import { roundToBf16, sampleIndices, uniform } from "../harness/random.ts";
import type { Case, Probe, Workload } from "../harness/types.ts";

export type Layout = "NN" | "NT" | "TN";

export interface MatmulCase extends Case {
  readonly layout: Layout;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** How B, the weight, is stored. Its values are exact in bf16 where it is bf16; A is f32. */
  readonly dtype: "f32" | "bf16";
}

function square(layout: Layout, size: number, dtype: "f32" | "bf16"): MatmulCase {
  return {
    name: `${layout} ${size} ${dtype}`,
    unit: "GFLOP/s",
    work: 2 * size ** 3,
    bound: "multiplyAdd",
    tolerance: 1e-4,
    goal: { ratioToBestPeer: 4 },
    ...{ layout, M: size, N: size, K: size, dtype },
  };
}

/** A few rows through a large weight, as in decoding: bounded by reading the weight once. */
function skinny(M: number, dtype: "f32" | "bf16"): MatmulCase {
  const N = 2048;
  const K = 2048;
  return {
    name: `skinny ${M}x${N}x${K} ${dtype}`,
    unit: "GB/s",
    work: N * K * (dtype === "bf16" ? 2 : 4),
    bound: "copy",
    tolerance: 1e-4,
    goal: { fractionOfPeak: 0.6 },
    ...{ layout: "NT", M, N, K, dtype },
  };
}

const sizes = [512, 1024, 2048];

export const matmul: Workload<MatmulCase> = {
  name: "matmul",
  cases: [
    ...sizes.flatMap((size) => (["NN", "NT", "TN"] as const).map((layout) => square(layout, size, "f32"))),
    ...sizes.flatMap((size) => (["NN", "NT"] as const).map((layout) => square(layout, size, "bf16"))), // a weight is no operand of TN
    ...[1, 4, 8].flatMap((rows) => (["f32", "bf16"] as const).map((dtype) => skinny(rows, dtype))),
  ],

  inputs({ M, N, K, dtype }) {
    const b = uniform(2, K * N);
    return { a: uniform(1, M * K), b: dtype === "bf16" ? roundToBf16(b) : b };
  },

  expected(of): Probe[] {
    const { layout, M, N, K } = of;
    const { a, b } = matmul.inputs(of) as { a: Float32Array; b: Float32Array };
    const indices = sampleIndices(3, M * N, 256);
    const values = indices.map((index) => {
      const m = Math.floor(index / N);
      const n = index % N;
      let sum = 0;
      for (let k = 0; k < K; k++) {
        const left = a[layout === "TN" ? k * M + m : m * K + k] as number;
        const right = b[layout === "NT" ? n * K + k : k * N + n] as number;
        sum += left * right;
      }
      return sum;
    });
    return [{ output: "c", indices, values }];
  },
};

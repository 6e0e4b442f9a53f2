// softmax(Q K^T / sqrt(D)) V for B independent sequences of T rows, all of which see each other. Q, K, V, O: [B,T,D].
import { sampleIndices, uniform } from "../harness/random.ts";
import type { Case, Probe, Workload } from "../harness/types.ts";

export interface AttentionCase extends Case {
  readonly B: number;
  readonly T: number;
  readonly D: number;
}

function forward(B: number, T: number, D: number): AttentionCase {
  return {
    name: `forward B${B} T${T} D${D}`,
    unit: "GFLOP/s",
    work: 4 * B * T * T * D,
    bound: "multiplyAdd",
    tolerance: 1e-4,
    goal: { ratioToBestPeer: 3 },
    ...{ B, T, D },
  };
}

export const attention: Workload<AttentionCase> = {
  name: "attention",
  cases: [forward(8, 256, 64), forward(2, 1024, 64)],

  inputs({ B, T, D }) {
    const scaled = (seed: number) => uniform(seed, B * T * D).map((value) => value * 4); // softmax far from uniform
    return { q: scaled(1), k: scaled(2), v: scaled(3) };
  },

  expected(of): Probe[] {
    const { B, T, D } = of;
    const { q, k, v } = attention.inputs(of) as Record<"q" | "k" | "v", Float32Array>;
    const indices: number[] = [];
    const values: number[] = [];
    for (const row of sampleIndices(4, B * T, 16)) {
      const first = Math.floor(row / T) * T; // the sequence's first row
      const scores = Array.from({ length: T }, (_, t) => {
        let dot = 0;
        for (let d = 0; d < D; d++) dot += (q[row * D + d] as number) * (k[(first + t) * D + d] as number);
        return dot / Math.sqrt(D);
      });
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let d = 0; d < D; d++) {
        indices.push(row * D + d);
        values.push(weights.reduce((sum, weight, t) => sum + weight * (v[(first + t) * D + d] as number), 0) / total);
      }
    }
    return [{ output: "o", indices, values }];
  },
};

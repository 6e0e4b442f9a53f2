// Log-probs of traces without a gradient: under a reference, a teacher, or the policy itself.
import { joinSampledTokens, type Trajectory } from "@iapo/rollout-trace";
import { noGrad } from "@iapo/tensor-core";
import type { Scorer } from "../policy.ts";
import { splitByRows } from "./split.ts";

/** By group and trace: log-probs of its sampled tokens, turn by turn. */
export async function scoreTraces(
  scorer: Scorer,
  groups: readonly (readonly Trajectory[])[],
  microBatchTokens: number = Number.POSITIVE_INFINITY,
): Promise<Float32Array[][]> {
  const scores: Float32Array[] = [];
  for (const piece of splitByRows(groups, microBatchTokens, (trace) => trace)) {
    const values = await logProbsOf(scorer, piece);
    const { offsets } = joinSampledTokens(piece.flat());
    for (let trace = 0; trace + 1 < offsets.length; trace++)
      scores.push(values.subarray(offsets[trace], offsets[trace + 1]));
  }
  let done = 0;
  return groups.map(({ length }) => {
    done += length;
    return scores.slice(done - length, done);
  });
}

async function logProbsOf(scorer: Scorer, piece: readonly (readonly Trajectory[])[]): Promise<Float32Array> {
  const packed = scorer.pack(piece);
  try {
    const { logProb, entropy } = noGrad(() => packed.logProbs());
    entropy.dispose();
    using read = logProb;
    return (await read.values()) as Float32Array;
  } finally {
    packed.dispose();
  }
}

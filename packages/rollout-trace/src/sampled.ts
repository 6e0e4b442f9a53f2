// The tokens of episodes that the policy wrote, over all turns: the order in which an update sees them.
import type { ImageRef } from "./image.ts";
import type { Trace } from "./trace.ts";

/** T = sampled tokens of all turns. */
export interface SampledTokens {
  /** [T] */
  readonly ids: Int32Array<ArrayBuffer>;
  /** [T] as the rollout measured them. */
  readonly logProbs: Float32Array<ArrayBuffer>;
  /** [T] index of the turn. */
  readonly turns: Int32Array<ArrayBuffer>;
}

/** Those of R episodes, end to end. */
export type SampledBatch = SampledTokens & {
  /** [R + 1] episode r holds the tokens `offsets[r]` to `offsets[r + 1] - 1`. */
  readonly offsets: Int32Array<ArrayBuffer>;
};

type Episode = Pick<Trace<ImageRef>, "turns">;

export function sampledTokens(trace: Episode): SampledTokens {
  const { ids, logProbs, turns } = joinSampledTokens([trace]);
  return { ids, logProbs, turns };
}

export function joinSampledTokens(traces: readonly Episode[]): SampledBatch {
  const offsets = new Int32Array(traces.length + 1);
  let total = 0;
  for (const [row, { turns }] of traces.entries()) {
    for (const { logProbs } of turns) total += logProbs.length;
    offsets[row + 1] = total;
  }
  const batch = {
    ids: new Int32Array(total),
    logProbs: new Float32Array(total),
    turns: new Int32Array(total),
    offsets,
  };
  let start = 0;
  for (const { turns } of traces) {
    for (const [index, { tokens, lossMask, logProbs }] of turns.entries()) {
      batch.ids.set(
        tokens.filter((_token, place) => lossMask[place] === 1),
        start,
      );
      batch.logProbs.set(logProbs, start);
      batch.turns.fill(index, start, start + logProbs.length);
      start += logProbs.length;
    }
  }
  return batch;
}

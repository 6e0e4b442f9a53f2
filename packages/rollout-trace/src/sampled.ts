/** The tokens of an episode that the policy wrote, over all turns: the order in which an update sees them. */
import type { ImageRef } from "./image.ts";
import type { Trace } from "./trace.ts";

/** T = sampled tokens of all turns. */
export type SampledTokens = {
  /** [T] */
  readonly ids: Int32Array<ArrayBuffer>;
  /** [T] as the rollout measured them. */
  readonly logProbs: Float32Array<ArrayBuffer>;
  /** [T] index of the turn. */
  readonly turns: Int32Array<ArrayBuffer>;
};

export function sampledTokens({ turns }: Pick<Trace<ImageRef>, "turns">): SampledTokens {
  const written = turns.map(({ tokens, lossMask }) => tokens.filter((_token, index) => lossMask[index] === 1));
  return {
    ids: Int32Array.from(written.flatMap((tokens) => [...tokens])),
    logProbs: Float32Array.from(turns.flatMap(({ logProbs }) => [...logProbs])),
    turns: Int32Array.from(written.flatMap((tokens, turn) => Array.from(tokens, () => turn))),
  };
}

// Ratios of the new policy to the old one.
import { at, rowMeans, spreadOverTokens, type TokenBatch } from "./batch.ts";

/** Ratios stay finite: beyond exp(20) they stand still and give no gradient, as in verl (docs/method.md D.1). */
export const maximumLogRatio = 20;

/** [N] `log rho_t`: of each token, or the mean over its response (GSPO), given to all of its tokens. Not yet limited. */
export function logRatios(batch: TokenBatch, level: "token" | "sequence"): Float64Array {
  const { offsets, mask, logProbs, oldLogProbs } = batch;
  const perToken = Float64Array.from(logProbs, (logProb, token) => logProb - at(oldLogProbs, token));
  return level === "token" ? perToken : spreadOverTokens(rowMeans(offsets, mask, perToken), offsets);
}

// From one number per token to one per unit of a partition (docs/method.md F6).
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import { type Partition, tokensOfUnits } from "./partition.ts";
import type { Numbers } from "./token-scores.ts";

/** `mean` is the default of the method: sums let a block of thousands of tokens swamp the rest. */
export type BlockReduce = "mean" | "sum" | "absMean" | "absSum";

/**
 * Scores `[units]`: the sum or mean over a unit's tokens of their scores, or of the scores' absolute values. A unit without tokens scores 0.
 * @throws AttributionError `shape` where there is not one score for each token of the partition
 */
export function blockScores(tokens: Numbers, { names, unitOfToken }: Partition, reduce: BlockReduce): Float64Array {
  if (tokens.length !== unitOfToken.length) {
    throw new AttributionError("shape", `${tokens.length} scores came for a partition of ${unitOfToken.length} tokens`);
  }
  const absolute = reduce === "absMean" || reduce === "absSum";
  const averaged = reduce === "mean" || reduce === "absMean";
  return Float64Array.from(tokensOfUnits({ names, unitOfToken }), (own) => {
    const sum = own.reduce((total, token) => total + (absolute ? Math.abs(at(tokens, token)) : at(tokens, token)), 0);
    return averaged ? sum / Math.max(1, own.length) : sum;
  });
}

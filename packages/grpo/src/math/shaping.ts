// Rewards as they are changed before advantages are taken.
import { GrpoError } from "../error.ts";
import type { KlEstimator } from "../losses/kl.ts";
import { at, checkLength, type Numbers, rowSums, type TokenBatch } from "./batch.ts";
import { klTerms } from "./kl.ts";

export interface OverlongOptions {
  /** Tokens a response may have. */
  readonly maximum: number;
  /** The last so many of them are penalized. */
  readonly buffer: number;
}

/**
 * DAPO's soft punishment of long responses: 0 up to `maximum - buffer` tokens, then linear to -1 at `maximum`, -1 beyond
 * (Yu et al. 2025, eq. 13; docs/method.md D.3). Added to the reward.
 * @throws GrpoError `argument` unless `0 < buffer <= maximum`
 */
export function overlongPenalty(length: number, { maximum, buffer }: OverlongOptions): number {
  if (!(buffer > 0 && buffer <= maximum)) {
    throw new GrpoError("argument", `the buffer of ${buffer} tokens must lie between 1 and the maximum, ${maximum}`);
  }
  const excess = length - (maximum - buffer);
  return excess <= 0 ? 0 : -Math.min(excess / buffer, 1);
}

/**
 * [R] KL in the reward: `r_i - coefficient * sum_t kl_t` over the tokens that count, with the log-probs of the policy that
 * wrote the response (`batch.oldLogProbs`) against the reference (docs/method.md D.1).
 */
export function penalizeKl(
  rewards: Numbers,
  batch: TokenBatch,
  referenceLogProbs: Numbers,
  { estimator, coefficient }: { readonly estimator: KlEstimator; readonly coefficient: number },
): Float64Array {
  checkLength("rewards", rewards, batch.offsets.length - 1);
  const { loss } = klTerms(estimator, batch.oldLogProbs, referenceLogProbs);
  const sums = rowSums(batch.offsets, batch.mask, loss);
  return Float64Array.from(rewards, (reward, row) => reward - coefficient * at(sums, row));
}

// Corrections for samples that another policy drew than the one whose old log-probs count: other numerics, other sampling.
// `r_t = exp(old log-prob - rollout log-prob)`; of a response, the product over its tokens. All are constants: no gradient.
import {
  at,
  checkLength,
  counts,
  forEachRow,
  maskedMean,
  type Numbers,
  rowMeans,
  rowSums,
  rowTokens,
  spreadOverTokens,
  type TokenBatch,
} from "./batch.ts";
import { maximumLogRatio } from "./ratios.ts";

export interface ImportanceOptions {
  /** Ratio of each token, or of its whole response. */
  readonly level: "token" | "sequence";
  /** `truncate`: cut to `maximum` (TIS). `mask`: 0 outside `minimum` to `maximum` (MIS). */
  readonly mode: "truncate" | "mask";
  readonly maximum: number;
  readonly minimum?: number | undefined;
  /** Divide by the mean over the tokens or responses that count, as verl can (docs/method.md D.3). */
  readonly normalize?: boolean | undefined;
}

type Rows = Pick<TokenBatch, "offsets" | "mask">;

/** [N] the factor of each token's loss; 0 where it does not count (docs/method.md D.3, TIS and MIS). */
export function importanceWeights(
  batch: Rows & Pick<TokenBatch, "oldLogProbs">,
  rolloutLogProbs: Numbers,
  options: ImportanceOptions,
): Float64Array {
  const logRatios = rolloutLogRatios(batch.oldLogProbs, rolloutLogProbs);
  const summed =
    options.level === "token"
      ? logRatios
      : spreadOverTokens(rowSums(batch.offsets, batch.mask, logRatios), batch.offsets);
  const weights = summed.map((logRatio, token) => (counts(batch.mask, token) ? corrected(logRatio, options) : 0));
  if (options.normalize !== true) return weights;
  const mean = options.level === "token" ? maskedMean(batch.mask, weights) : meanOfRows(batch, weights);
  return mean === 0 ? weights : weights.map((weight) => weight / mean);
}

function corrected(logRatio: number, { mode, maximum, minimum = 0 }: ImportanceOptions): number {
  const ratio = Math.exp(limited(logRatio));
  if (mode === "truncate") return Math.min(ratio, maximum);
  return ratio >= minimum && ratio <= maximum ? ratio : 0;
}

/** Keeps ratios finite, as verl does. */
function limited(logRatio: number): number {
  return Math.max(Math.min(logRatio, maximumLogRatio), -maximumLogRatio);
}

function meanOfRows({ offsets, mask }: Rows, weights: Numbers): number {
  const lengths = rowTokens(offsets, mask);
  const means = [...rowMeans(offsets, mask, weights)].filter((_mean, row) => at(lengths, row) > 0);
  return means.length === 0 ? 0 : means.reduce((sum, mean) => sum + mean, 0) / means.length;
}

/** One test of a token or response; what fails does not count at all. */
export interface Rejection {
  /** What is compared: a token's value, or sum, mean or maximum over its response. */
  readonly over: "token" | "sum" | "mean" | "maximum";
  /** With `d = old - rollout` log-prob: `ratio` exp(-d), of a sum or mean of d; `k2` d²/2; `k3` exp(d) - d - 1. */
  readonly measure: "ratio" | "k2" | "k3";
  readonly maximum: number;
  readonly minimum?: number | undefined;
}

/** [N] `mask` without the tokens and responses that a test rejects (verl's rollout rejection; docs/method.md D.3). */
export function rejectionMask(
  batch: Rows & Pick<TokenBatch, "oldLogProbs">,
  rolloutLogProbs: Numbers,
  tests: readonly Rejection[],
): Uint8Array {
  const logRatios = rolloutLogRatios(batch.oldLogProbs, rolloutLogProbs).map(limited);
  const kept = Uint8Array.from(batch.mask);
  for (const { over, measure, maximum, minimum = 0 } of tests) {
    const values = logRatios.map((logRatio) => measured(measure, logRatio));
    const compared = over === "token" ? values : spreadOverTokens(rowValues(over, batch, values), batch.offsets);
    for (let token = 0; token < kept.length; token++) {
      const own = at(compared, token);
      const value = measure === "ratio" ? Math.exp(own) : own;
      if (!(value >= minimum && value <= maximum)) kept[token] = 0;
    }
  }
  return kept;
}

function measured(measure: Rejection["measure"], logRatio: number): number {
  if (measure === "ratio") return -logRatio;
  return measure === "k2" ? logRatio ** 2 / 2 : Math.exp(logRatio) - logRatio - 1;
}

function rowValues(over: "sum" | "mean" | "maximum", { offsets, mask }: Rows, values: Numbers): Float64Array {
  if (over === "maximum") {
    const maxima = new Float64Array(offsets.length - 1).fill(Number.NEGATIVE_INFINITY);
    forEachRow(offsets, (row, start, end) => {
      for (let token = start; token < end; token++) {
        if (counts(mask, token)) maxima[row] = Math.max(at(maxima, row), at(values, token));
      }
    });
    return maxima;
  }
  return over === "sum" ? rowSums(offsets, mask, values) : rowMeans(offsets, mask, values);
}

/**
 * [N] 0 for the tokens of responses of negative advantage that the new policy has moved away from, by more than `threshold`
 * nats a token on average, else 1 (DeepSeek-V3.2; docs/method.md D.3). A factor of the loss: the counts stay.
 */
export function offPolicyWeights(
  batch: TokenBatch,
  advantages: Numbers,
  samplerLogProbs: Numbers,
  threshold: number,
): Float64Array {
  checkLength("advantages", advantages, batch.mask.length);
  const moved = Float64Array.from(batch.logProbs, (logProb, token) => at(samplerLogProbs, token) - logProb);
  const average = spreadOverTokens(rowValues("mean", batch, moved), batch.offsets);
  return average.map((value, token) => (at(advantages, token) >= 0 || value <= threshold ? 1 : 0));
}

function rolloutLogRatios(oldLogProbs: Numbers, rolloutLogProbs: Numbers): Float64Array {
  checkLength("rolloutLogProbs", rolloutLogProbs, oldLogProbs.length);
  return Float64Array.from(oldLogProbs, (old, token) => old - at(rolloutLogProbs, token));
}

// Building blocks of losses that have no kind of their own: each maps the log-probs of a batch and the advantages of its tokens to a
// term per token and its derivative. Legend: rho = exp(log-prob - old log-prob), A = advantage, sg = no gradient (docs/method.md D.3).
import type { Numbers, TokenBatch, TokenTerms } from "./batch.ts";
import { at, checkLength, rowMeans, rowSums, spreadOverTokens } from "./batch.ts";
import { logRatios, maximumLogRatio } from "./ratios.ts";

export interface ClipRange {
  /** The ratio is kept above `1 - low`. */
  readonly low: number;
  /** The ratio is kept below `1 + high`; above `low` it is DAPO's clip-higher. */
  readonly high: number;
}

/**
 * GMPO: `-mean_t(A) exp(mean_t m_t)`, the geometric mean of token ratios clipped in log space to `-low` to `high`, with
 * `m_t = sign(A) min(sign(A) log rho_t, sign(A) clip(log rho_t))` (verl `geo_mean`). Sum over a response with equal weights.
 */
export function geometricMeanTerms(batch: TokenBatch, advantages: Numbers, { low, high }: ClipRange): TokenTerms {
  checkLength("advantages", advantages, batch.mask.length);
  const { offsets, mask } = batch;
  const raw = logRatios(batch, "token");
  const kept = raw.map((logRatio, token) => {
    const bounded = Math.min(Math.max(logRatio, -low), high);
    return at(advantages, token) >= 0 ? Math.min(logRatio, bounded) : Math.max(logRatio, bounded);
  });
  const meanOf = (values: Numbers): Float64Array => spreadOverTokens(rowMeans(offsets, mask, values), offsets);
  const meanRatio = meanOf(kept);
  const meanAdvantage = meanOf(advantages);
  const loss = meanRatio.map((mean, token) => -at(meanAdvantage, token) * Math.exp(mean));
  return {
    loss,
    derivative: loss.map((value, token) => (advantages[token] !== 0 && kept[token] === raw[token] ? value : 0)),
  };
}

/** Gamma-shaped weights: `k` and `lambda` for A >= 0 and for A < 0. */
export interface VespoOptions {
  readonly positive: { readonly k: number; readonly lambda: number };
  readonly negative: { readonly k: number; readonly lambda: number };
}

/** As TRL has them. */
export const vespoDefaults: VespoOptions = { positive: { k: 2, lambda: 3 }, negative: { k: 3, lambda: 2 } };

/**
 * VESPO: `-sg[phi(w)] A log pi` with `log phi = lambda + k log w - lambda w`, w the product of a response's ratios (TRL). Where
 * another policy drew the samples, its log-probs belong in `batch.oldLogProbs`.
 */
export function vespoTerms(batch: TokenBatch, advantages: Numbers, options: VespoOptions): TokenTerms {
  checkLength("advantages", advantages, batch.mask.length);
  const { offsets, mask, logProbs } = batch;
  const logWeights = spreadOverTokens(rowSums(offsets, mask, logRatios(batch, "token")), offsets);
  const derivative = logWeights.map((logWeight, token) => {
    const advantage = at(advantages, token);
    const { k, lambda } = advantage >= 0 ? options.positive : options.negative;
    const bounded = Math.min(Math.max(logWeight, -maximumLogRatio), maximumLogRatio);
    return -advantage * Math.exp(lambda + k * bounded - lambda * Math.exp(bounded));
  });
  return { loss: derivative.map((factor, token) => factor * at(logProbs, token)), derivative };
}

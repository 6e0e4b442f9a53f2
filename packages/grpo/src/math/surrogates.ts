/**
 * The policy losses: each maps the log-probs of a batch and the advantages of its tokens to a term per token and its derivative.
 * Legend: rho = exp(log-prob - old log-prob), A = advantage, sg = no gradient. Formulas: docs/method.md D.1 and D.3.
 */
import {
  checkLength,
  type Numbers,
  rowSums,
  rowTokens,
  spreadOverTokens,
  type TokenBatch,
  type TokenTerms,
} from "./batch.ts";
import { logRatios, maximumLogRatio } from "./ratios.ts";

export type ClipRange = {
  /** The ratio is kept above `1 - low`. */
  readonly low: number;
  /** The ratio is kept below `1 + high`; above `low` it is DAPO's clip-higher. */
  readonly high: number;
};

export type ClippedOptions = ClipRange & {
  /** For A < 0 the term is at most `-A * dual` (dual clip, Ye et al. 2020; TRL's `delta`). */
  readonly dual?: number | undefined;
};

/**
 * PPO's clipped surrogate, of GRPO, DAPO and Dr. GRPO: `max(-A rho, -A clip(rho, 1 - low, 1 + high))`, and for A < 0 no more
 * than `-A dual`. Derivative `-A rho` where the first is taken, else 0.
 */
export function clippedTerms(batch: TokenBatch, advantages: Numbers, options: ClippedOptions): TokenTerms {
  return perToken(logRatios(batch, "token"), advantages, (logRatio, advantage) =>
    clipped(logRatio, advantage, options),
  );
}

/**
 * GSPO: the clipped surrogate of the response's ratio `s = exp(mean_t log rho_t)` (Zheng et al. 2025). The derivative is that of
 * its token form `sg[s] pi / sg[pi]`: equal to that of s wherever the tokens of a response weigh the same.
 */
export function gspoTerms(batch: TokenBatch, advantages: Numbers, options: ClippedOptions): TokenTerms {
  return perToken(logRatios(batch, "sequence"), advantages, (logRatio, advantage) =>
    clipped(logRatio, advantage, options),
  );
}

/** CISPO: `-sg[clip(rho, 1 - low, 1 + high)] A log pi`: a clipped token keeps its gradient (MiniMax-M1). */
export function cispoTerms(batch: TokenBatch, advantages: Numbers, { low, high }: ClipRange): TokenTerms {
  const terms = perToken(logRatios(batch, "token"), advantages, (logRatio, advantage) => {
    const factor = -advantage * Math.min(Math.max(Math.exp(Math.min(logRatio, maximumLogRatio)), 1 - low), 1 + high);
    return [factor, factor];
  });
  return { loss: terms.loss.map((factor, token) => factor * batch.logProbs[token]!), derivative: terms.derivative };
}

export type SapoOptions = {
  /** Temperature of the gate for A > 0; published 1. */
  readonly positive: number;
  /** Temperature of the gate for A <= 0; published 1.05. */
  readonly negative: number;
};

/** SAPO: a soft gate for the clip: `-A sigmoid(tau (rho - 1)) 4 / tau` (Qwen 2025). Its slope at rho = 1 is `-A`. */
export function sapoTerms(batch: TokenBatch, advantages: Numbers, { positive, negative }: SapoOptions): TokenTerms {
  return perToken(logRatios(batch, "token"), advantages, (logRatio, advantage) => {
    const temperature = advantage > 0 ? positive : negative;
    const ratio = Math.exp(Math.min(logRatio, maximumLogRatio));
    const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)));
    const slope = logRatio > maximumLogRatio ? 0 : 4 * gate * (1 - gate) * ratio;
    return [(-advantage * gate * 4) / temperature, -advantage * slope];
  });
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
    return advantages[token]! >= 0 ? Math.min(logRatio, bounded) : Math.max(logRatio, bounded);
  });
  const lengths = rowTokens(offsets, mask);
  const meanOf = (values: Numbers): Float64Array =>
    spreadOverTokens(
      rowSums(offsets, mask, values).map((sum, row) => sum / Math.max(lengths[row]!, 1)),
      offsets,
    );
  const meanRatio = meanOf(kept);
  const meanAdvantage = meanOf(advantages);
  const loss = meanRatio.map((mean, token) => -meanAdvantage[token]! * Math.exp(mean));
  return {
    loss,
    derivative: loss.map((value, token) => (advantages[token] !== 0 && kept[token] === raw[token] ? value : 0)),
  };
}

/** Gamma-shaped weights: `k` and `lambda` for A >= 0 and for A < 0. */
export type VespoOptions = {
  readonly positive: { readonly k: number; readonly lambda: number };
  readonly negative: { readonly k: number; readonly lambda: number };
};

/** As TRL has them. */
export const vespoDefaults: VespoOptions = { positive: { k: 2, lambda: 3 }, negative: { k: 3, lambda: 2 } };

/**
 * VESPO: `-sg[phi(w)] A log pi` with `log phi = lambda + k log w - lambda w`, w the product of a response's ratios (TRL). Where
 * another policy drew the samples, its log-probs belong in `batch.oldLogProbs`.
 */
export function vespoTerms(batch: TokenBatch, advantages: Numbers, options: VespoOptions): TokenTerms {
  const logWeights = spreadOverTokens(rowSums(batch.offsets, batch.mask, logRatios(batch, "token")), batch.offsets);
  const terms = perToken(logWeights, advantages, (logWeight, advantage) => {
    const { k, lambda } = advantage >= 0 ? options.positive : options.negative;
    const bounded = Math.min(Math.max(logWeight, -maximumLogRatio), maximumLogRatio);
    const factor = -advantage * Math.exp(lambda + k * bounded - lambda * Math.exp(bounded));
    return [factor, factor];
  });
  return { loss: terms.loss.map((factor, token) => factor * batch.logProbs[token]!), derivative: terms.derivative };
}

function clipped(logRatio: number, advantage: number, { low, high, dual }: ClippedOptions): [number, number] {
  const ratio = Math.exp(Math.min(logRatio, maximumLogRatio));
  const free = -advantage * ratio;
  const bounded = -advantage * Math.min(Math.max(ratio, 1 - low), 1 + high);
  const loss = Math.max(free, bounded);
  const most = dual !== undefined && advantage < 0 ? -advantage * dual : Number.POSITIVE_INFINITY;
  if (loss > most) return [most, 0];
  return [loss, free >= bounded && logRatio <= maximumLogRatio ? free : 0];
}

function perToken(
  logRatioOf: Float64Array,
  advantages: Numbers,
  term: (logRatio: number, advantage: number) => [loss: number, derivative: number],
): TokenTerms {
  checkLength("advantages", advantages, logRatioOf.length);
  const loss = new Float64Array(logRatioOf.length);
  const derivative = new Float64Array(logRatioOf.length);
  for (let token = 0; token < logRatioOf.length; token++) {
    [loss[token], derivative[token]] = term(logRatioOf[token]!, advantages[token]!);
  }
  return { loss, derivative };
}

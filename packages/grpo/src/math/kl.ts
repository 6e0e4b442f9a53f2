// KL(policy || reference) of tokens, by one of the estimators.
import { type KlEstimator, klEstimator } from "../losses/kl.ts";
import { at, checkLength, type Numbers, type TokenTerms } from "./batch.ts";

/**
 * The KL of each token and its derivative with respect to the token's log-prob.
 * @throws GrpoError `shape`; `argument` for an estimator that does not exist
 */
export function klTerms(estimator: KlEstimator, logProbs: Numbers, referenceLogProbs: Numbers): TokenTerms {
  checkLength("referenceLogProbs", referenceLogProbs, logProbs.length);
  const { estimate } = klEstimator(estimator);
  const loss = new Float64Array(logProbs.length);
  const derivative = new Float64Array(logProbs.length);
  for (let token = 0; token < logProbs.length; token++) {
    [loss[token], derivative[token]] = estimate(at(logProbs, token) - at(referenceLogProbs, token));
  }
  return { loss, derivative };
}

/**
 * KL weighted by the ratio of the new to the old policy, which makes it unbiased off-policy: `rho * kl`, with
 * `d(rho * kl) = rho * (kl + kl')` (DeepSeek-V3.2; docs/method.md D.3).
 */
export function ratioWeightedKl(terms: TokenTerms, logRatios: Numbers): TokenTerms {
  checkLength("logRatios", logRatios, terms.loss.length);
  const ratioOf = (token: number): number => Math.exp(at(logRatios, token));
  return {
    loss: terms.loss.map((value, token) => ratioOf(token) * value),
    derivative: terms.derivative.map((value, token) => ratioOf(token) * (value + at(terms.loss, token))),
  };
}

/** Estimators of KL(policy || reference) from the sampled tokens (Schulman 2020; docs/method.md D.1). */

import { GrpoError } from "../error.ts";
import { checkLength, type Numbers, type TokenTerms } from "./batch.ts";

/**
 * With `d = log-prob - reference log-prob`: `k1` d; `abs` |d|; `k2` d²/2; `k3` exp(-d) + d - 1. `k1_k2` and `k3_k2` have the
 * value of the first and the gradient of k2, the unbiased one of on-policy KL (verl's `k1+`, `k3+`).
 */
export type KlEstimator = "k1" | "abs" | "k2" | "k3" | "k1_k2" | "k3_k2";

export const klEstimators: readonly KlEstimator[] = ["k1", "abs", "k2", "k3", "k1_k2", "k3_k2"];

/** k3 is cut to this as verl does: beyond it, the value stands still and the gradient is 0. */
const maximumK3 = 10;

/**
 * The KL of each token and its derivative with respect to the token's log-prob.
 * @throws GrpoError `shape`
 */
export function klTerms(estimator: KlEstimator, logProbs: Numbers, referenceLogProbs: Numbers): TokenTerms {
  checkLength("referenceLogProbs", referenceLogProbs, logProbs.length);
  const loss = new Float64Array(logProbs.length);
  const derivative = new Float64Array(logProbs.length);
  for (let token = 0; token < logProbs.length; token++) {
    const difference = logProbs[token]! - referenceLogProbs[token]!;
    [loss[token], derivative[token]] = estimate(estimator, difference);
  }
  return { loss, derivative };
}

function estimate(estimator: KlEstimator, difference: number): [value: number, derivative: number] {
  switch (estimator) {
    case "k1":
      return [difference, 1];
    case "abs":
      return [Math.abs(difference), Math.sign(difference)];
    case "k2":
      return [difference ** 2 / 2, difference];
    case "k3": {
      const value = Math.exp(-difference) + difference - 1;
      return value < maximumK3 ? [value, 1 - Math.exp(-difference)] : [maximumK3, 0];
    }
    case "k1_k2":
      return [difference, difference];
    case "k3_k2":
      return [estimate("k3", difference)[0], difference];
    default:
      throw new GrpoError(
        "argument",
        `no KL estimator is called ${String(estimator)}; use one of ${klEstimators.join(", ")}`,
      );
  }
}

/**
 * KL weighted by the ratio of the new to the old policy, which makes it unbiased off-policy: `rho * kl`, with
 * `d(rho * kl) = rho * (kl + kl')` (DeepSeek-V3.2; docs/method.md D.3).
 */
export function ratioWeightedKl(terms: TokenTerms, logRatios: Numbers): TokenTerms {
  checkLength("logRatios", logRatios, terms.loss.length);
  return {
    loss: terms.loss.map((value, token) => Math.exp(logRatios[token]!) * value),
    derivative: terms.derivative.map((value, token) => Math.exp(logRatios[token]!) * (value + terms.loss[token]!)),
  };
}

// The loss of a batch and its gradient with respect to the new log-probs: what an update step hands to its backward pass.
import { type Aggregation, aggregationWeights } from "./aggregation.ts";
import { at, checkBatch, checkLength, counts, type Numbers, type TokenBatch, type TokenTerms } from "./batch.ts";

export interface PolicyLossParts {
  readonly batch: TokenBatch;
  /** Terms of the policy loss, from one of the surrogates. */
  readonly policy: TokenTerms;
  readonly aggregation: Aggregation;
  /** [N] constant factors of the policy's terms, such as importance weights. */
  readonly weights?: Numbers | undefined;
  readonly kl?: { readonly terms: TokenTerms; readonly coefficient: number } | undefined;
  /** [N] of the policy's distributions from a teacher's, and their weight in the loss. */
  readonly distillation?: { readonly divergences: Numbers; readonly mix: number } | undefined;
}

export interface PolicyLoss {
  readonly loss: number;
  /** [N] d loss / d log-prob; 0 where a token does not count. A divergence of whole distributions has a gradient besides. */
  readonly gradient: Float64Array;
  /** The parts of the loss; `klLoss` before its coefficient, all before `mix`. */
  readonly policyLoss: number;
  readonly klLoss: number;
  /** 0 without a teacher. */
  readonly divergence: number;
}

/**
 * `L = sum_t a_t (w_t l_t + beta kl_t)` with a_t of the aggregation, w_t the weights, l_t the policy's terms; with a teacher
 * `(1 - mix) L + mix sum_t a_t D_t` (Agarwal et al. 2024, arXiv:2306.13649, section 3.2).
 * @throws GrpoError `shape`, `argument`
 */
export function policyLoss({ batch, policy, aggregation, weights, kl, distillation }: PolicyLossParts): PolicyLoss {
  checkBatch(batch);
  const tokens = batch.logProbs.length;
  checkLength("policy terms", policy.loss, tokens);
  if (weights !== undefined) checkLength("weights", weights, tokens);
  if (kl !== undefined) checkLength("KL terms", kl.terms.loss, tokens);
  if (distillation !== undefined) checkLength("divergences", distillation.divergences, tokens);
  const ofRewards = 1 - (distillation?.mix ?? 0);
  const tokenWeights = aggregationWeights(aggregation, batch);
  const gradient = new Float64Array(tokens);
  let policySum = 0;
  let klSum = 0;
  let divergence = 0;
  for (let token = 0; token < tokens; token++) {
    if (!counts(batch.mask, token)) continue;
    const tokenWeight = at(tokenWeights, token);
    const weight = weights === undefined ? 1 : at(weights, token);
    policySum += tokenWeight * weight * at(policy.loss, token);
    let derivative = weight * at(policy.derivative, token);
    if (kl !== undefined) {
      klSum += tokenWeight * at(kl.terms.loss, token);
      derivative += kl.coefficient * at(kl.terms.derivative, token);
    }
    if (distillation !== undefined) divergence += tokenWeight * at(distillation.divergences, token);
    gradient[token] = ofRewards * tokenWeight * derivative;
  }
  const rewarded = policySum + (kl?.coefficient ?? 0) * klSum;
  const loss = distillation ? (ofRewards === 0 ? 0 : ofRewards * rewarded) + distillation.mix * divergence : rewarded;
  return { loss, gradient, policyLoss: policySum, klLoss: klSum, divergence };
}

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
}

export interface PolicyLoss {
  readonly loss: number;
  /** [N] d loss / d log-prob; 0 where a token does not count. */
  readonly gradient: Float64Array;
  /** The two parts of the loss; `klLoss` before its coefficient. */
  readonly policyLoss: number;
  readonly klLoss: number;
}

/**
 * `L = sum_t a_t (w_t l_t + beta kl_t)` with a_t of the aggregation, w_t the weights, l_t the policy's terms.
 * @throws GrpoError `shape`, `argument`
 */
export function policyLoss({ batch, policy, aggregation, weights, kl }: PolicyLossParts): PolicyLoss {
  checkBatch(batch);
  const tokens = batch.logProbs.length;
  checkLength("policy terms", policy.loss, tokens);
  if (weights !== undefined) checkLength("weights", weights, tokens);
  if (kl !== undefined) checkLength("KL terms", kl.terms.loss, tokens);
  const tokenWeights = aggregationWeights(aggregation, batch);
  const gradient = new Float64Array(tokens);
  let policySum = 0;
  let klSum = 0;
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
    gradient[token] = tokenWeight * derivative;
  }
  return { loss: policySum + (kl?.coefficient ?? 0) * klSum, gradient, policyLoss: policySum, klLoss: klSum };
}

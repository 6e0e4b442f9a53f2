// The named losses on the GPU: `sum_t weight_t (importance_t term_t + beta kl_t)`. Reference in f64: `computeLoss` of `../math`.
import * as ops from "@iapo/tensor-core";
import type { LossTensors, TensorLoss } from "../losses/define.ts";
import { klEstimator } from "../losses/kl.ts";
import { type LossOptions, lossDefinition } from "../losses/registry.ts";

const { add, dot, gatherRows, multiply, noGrad, reshape, scatterRows, subtract } = ops;

/** The loss of a named kind. @throws GrpoError `argument` for a kind or an estimator that does not exist */
export function tensorLoss(options: LossOptions): TensorLoss {
  const { level, tensors: termsOf } = lossDefinition(options.kind);
  const kl = options.kl?.where === "loss" ? options.kl : undefined;
  const divergence = kl && klEstimator(kl.estimator);
  return (given) => {
    const { tokenWeights, importance, logProb, oldLogProbs, advantages, referenceLogProbs } = given;
    const own = subtract(logProb, oldLogProbs);
    const logRatio = level === "sequence" ? ofResponses(own, given) : own;
    const terms = termsOf({ logRatio, logProb, advantages }, options, ops);
    const policy = dot(terms, importance ? multiply(tokenWeights, importance) : tokenWeights);
    if (!kl || !divergence || !referenceLogProbs) return policy;
    const distance = divergence.tensors(subtract(logProb, referenceLogProbs), ops);
    return add(policy, multiply(dot(distance, tokenWeights), kl.coefficient));
  };
}

/** The value of the response's mean log-ratio, the gradient of the token's own. */
function ofResponses(logRatio: ops.Tensor, { responses, inverseLengths }: LossTensors): ops.Tensor {
  const own = noGrad(() => multiply(logRatio, 1));
  const tokens = logRatio.size;
  const means = scatterRows(reshape(multiply(own, inverseLengths), [tokens, 1]), responses);
  const shared = reshape(gatherRows(means, responses), [tokens]);
  return add(shared, subtract(logRatio, own));
}

// The policy losses on the GPU, from tensor-core's ops. Formulas and reference: `../math`. Legend: rho = ratio, A = advantage, sg = no gradient.
import {
  add,
  addScalar,
  clamp,
  dot,
  exp,
  gatherRows,
  greater,
  maximum,
  minimum,
  multiply,
  negate,
  reshape,
  scale,
  scatterRows,
  sigmoid,
  subtract,
  type Tensor,
  where,
} from "@iapo/tensor-core";
import type { LossOptions } from "../math/index.ts";
import { constant, detached } from "./constants.ts";
import { klTerms } from "./kl.ts";
import type { LossTensors, TensorLoss } from "./tensors.ts";

/** As in `../math`: ratios stand still beyond exp(20). */
const MAXIMUM_LOG_RATIO = 20;
const LARGEST = 3e38;

/** The loss of a named kind: `sum_t share_t (importance_t term_t + beta kl_t)`. */
export function tensorLoss(options: LossOptions): TensorLoss {
  const { kl } = options;
  return (tensors) => {
    const { shares, importance, logProb, referenceLogProbs } = tensors;
    const policy = dot(policyTerms(tensors, options), importance ? multiply(shares, importance) : shares);
    if (kl?.where !== "loss" || !referenceLogProbs) return policy;
    const distance = klTerms(kl.estimator, subtract(logProb, referenceLogProbs));
    return add(policy, scale(dot(distance, shares), kl.coefficient));
  };
}

/** [N] what each token adds before aggregation. */
function policyTerms(tensors: LossTensors, options: LossOptions): Tensor {
  const { logProb, oldLogProbs, advantages } = tensors;
  const logRatio = subtract(logProb, oldLogProbs);
  const losses = negate(advantages);
  switch (options.kind) {
    case "gspo":
      return clipped(ofResponses(logRatio, tensors), losses, options);
    case "cispo": {
      const { low, high } = options.clip;
      return multiply(multiply(losses, detached(clamp(ratioOf(logRatio), 1 - low, 1 + high))), logProb);
    }
    case "sapo":
      return gated(logRatio, losses, options.gate);
    default:
      return clipped(logRatio, losses, options);
  }
}

/** `max(-A rho, -A clip(rho))`, and for A < 0 no more than `-A dual`. Where both are equal the gradient is that of the first. */
function clipped(logRatio: Tensor, losses: Tensor, { clip, dualClip }: LossOptions): Tensor {
  const ratio = ratioOf(logRatio);
  const free = multiply(losses, ratio);
  const larger = maximum(free, multiply(losses, clamp(ratio, 1 - clip.low, 1 + clip.high)));
  if (dualClip === undefined) return larger;
  const negative = greater(losses, constant(losses, 0));
  return minimum(larger, where(negative, scale(losses, dualClip), constant(losses, LARGEST)));
}

/** SAPO: `-A sigmoid(tau (rho - 1)) 4 / tau`, tau by the sign of A. */
function gated(logRatio: Tensor, losses: Tensor, { positive, negative }: LossOptions["gate"]): Tensor {
  const isPositive = greater(constant(losses, 0), losses);
  const temperature = where(isPositive, constant(losses, positive), constant(losses, negative));
  const factor = where(isPositive, constant(losses, 4 / positive), constant(losses, 4 / negative));
  const gate = sigmoid(multiply(temperature, addScalar(ratioOf(logRatio), -1)));
  return multiply(multiply(losses, factor), gate);
}

/** GSPO's token form: the value of the response's mean log-ratio, the gradient of the token's own. */
function ofResponses(logRatio: Tensor, { responses, inverseLengths }: LossTensors): Tensor {
  const own = detached(logRatio);
  const tokens = logRatio.size;
  const means = scatterRows(reshape(multiply(own, inverseLengths), [tokens, 1]), responses);
  const shared = reshape(gatherRows(means, responses), [tokens]);
  return add(shared, subtract(logRatio, own));
}

/** `exp(log ratio)`, finite. */
function ratioOf(logRatio: Tensor): Tensor {
  return exp(clamp(logRatio, -LARGEST, MAXIMUM_LOG_RATIO));
}

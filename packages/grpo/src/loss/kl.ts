// Estimators of KL(policy || reference) on the GPU, as `../math` has them.
import {
  abs,
  add,
  addScalar,
  clamp,
  exp,
  minimum,
  negate,
  scale,
  square,
  subtract,
  type Tensor,
} from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { type KlEstimator, klEstimators } from "../math/kl.ts";
import { constant, detached } from "./constants.ts";

/** k3 is cut to this; outside of this range of differences it is cut for certain, and exp stays finite. */
const MAXIMUM_K3 = 10;
const DIFFERENCES = [-4, 20] as const;

/** [N] KL of each token from log-prob minus reference log-prob. */
export function klTerms(estimator: KlEstimator, difference: Tensor): Tensor {
  switch (estimator) {
    case "k1":
      return difference;
    case "abs":
      return abs(difference);
    case "k2":
      return k2(difference);
    case "k3":
      return k3(difference);
    case "k1_k2":
      return withGradientOf(k2(difference), difference);
    case "k3_k2":
      return withGradientOf(k2(difference), k3(difference));
    default:
      throw new GrpoError(
        "argument",
        `no KL estimator is called ${String(estimator)}; use one of ${klEstimators.join(", ")}`,
      );
  }
}

function k2(difference: Tensor): Tensor {
  return scale(square(difference), 0.5);
}

function k3(difference: Tensor): Tensor {
  const d = clamp(difference, ...DIFFERENCES);
  return minimum(addScalar(add(exp(negate(d)), d), -1), constant(d, MAXIMUM_K3));
}

/** The value of one, the gradient of the other. */
function withGradientOf(gradient: Tensor, value: Tensor): Tensor {
  return add(detached(value), subtract(gradient, detached(gradient)));
}

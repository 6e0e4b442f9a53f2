// Estimators of KL(policy || reference) from the sampled tokens (Schulman 2020; docs/method.md D.1), in f64 and on the GPU.
import type { Tensor } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import type { Term } from "../math/terms.ts";
import { detached, type TensorOps } from "./tensor-ops.ts";

export interface KlDefinition<Name extends string> {
  readonly estimator: Name;
  /** In Markdown, of `d = log-prob - reference log-prob`. */
  readonly formula: string;
  /** f64: the KL of a token, and its derivative with respect to the token's log-prob. */
  estimate(difference: number): Term;
  /** The same on the GPU: f32 [N] from f32 [N], differentiable. */
  tensors(difference: Tensor, ops: TensorOps): Tensor;
}

function defineKl<const Name extends string>(definition: KlDefinition<Name>): KlDefinition<Name> {
  return definition;
}

const k1 = defineKl({
  estimator: "k1",
  formula: "`d`",
  estimate: (difference) => [difference, 1],
  tensors: (difference) => difference,
});

const absolute = defineKl({
  estimator: "abs",
  formula: "`|d|`",
  estimate: (difference) => [Math.abs(difference), Math.sign(difference)],
  tensors: (difference, { abs }) => abs(difference),
});

const k2 = defineKl({
  estimator: "k2",
  formula: "`d² / 2`",
  estimate: (difference) => [difference ** 2 / 2, difference],
  tensors: (difference, { multiply, square }) => multiply(square(difference), 0.5),
});

/** k3 is cut to this as verl does: beyond it, the value stands still and the gradient is 0. */
const MAXIMUM_K3 = 10;
/** Outside of these differences k3 is cut for certain, and exp stays finite. */
const DIFFERENCES = [-4, 20] as const;

const k3 = defineKl({
  estimator: "k3",
  formula: `\`exp(-d) + d - 1\`, at most ${MAXIMUM_K3}`,
  estimate(difference) {
    const value = Math.exp(-difference) + difference - 1;
    // Written so that a NaN is not taken for a large value.
    return value >= MAXIMUM_K3 ? [MAXIMUM_K3, 0] : [value, 1 - Math.exp(-difference)];
  },
  tensors(difference, { add, clamp, exp, minimum, negate }) {
    const d = clamp(difference, ...DIFFERENCES);
    return minimum(add(add(exp(negate(d)), d), -1), MAXIMUM_K3);
  },
});

/** The value of one, the gradient of k2: the unbiased one of on-policy KL (verl's `k1+`, `k3+`). */
function withGradientOfK2<Name extends string>(estimator: Name, value: KlDefinition<string>): KlDefinition<Name> {
  return {
    estimator,
    formula: `the value of \`${value.estimator}\`, the gradient of \`k2\``,
    estimate: (difference) => [value.estimate(difference)[0], difference],
    tensors(difference, ops) {
      const gradient = k2.tensors(difference, ops);
      const without = ops.subtract(gradient, detached(gradient, ops));
      return ops.add(detached(value.tensors(difference, ops), ops), without);
    },
  };
}

/** To add an estimator: its definition above, and its name here. */
const all = [k1, absolute, k2, k3, withGradientOfK2("k1_k2", k1), withGradientOfK2("k3_k2", k3)] as const;

export type KlEstimator = (typeof all)[number]["estimator"];

/** By name, in the order of the README. */
export const klEstimators: ReadonlyMap<KlEstimator, KlDefinition<KlEstimator>> = new Map(
  all.map((kl) => [kl.estimator, kl]),
);

export interface KlOptions {
  /** In the loss, or taken off the reward. */
  readonly where: "loss" | "reward";
  readonly estimator: KlEstimator;
  readonly coefficient: number;
}

/** @throws GrpoError `argument` for a name that no estimator has */
export function klEstimator(name: KlEstimator): KlDefinition<KlEstimator> {
  const found = klEstimators.get(name);
  if (found) return found;
  const names = [...klEstimators.keys()].join(", ");
  throw new GrpoError("argument", `no KL estimator is called ${String(name)}; use one of ${names}`);
}

// On-policy distillation in f64: the reference of every GPU path, and what a replay computes.
import type { DivergenceDirection } from "@iapo/tensor-core";
import type { TokenDistillation } from "../distillation/settings.ts";
import { at, checkLength, type Numbers } from "./batch.ts";

/** `log pi - log pi_teacher` of a token, as it counts: the part beyond the tolerance, at most the cap, with its sign. NaN stays. */
export function countedDifference(
  logProb: number,
  teacherLogProb: number,
  { cap, tolerance }: Pick<TokenDistillation, "cap" | "tolerance">,
): number {
  const difference = logProb - teacherLogProb;
  return Math.sign(difference) * Math.min(cap, Math.max(0, Math.abs(difference) - tolerance));
}

/**
 * [T] the advantage of each token: `(1 - mix) A - mix k1` (on-policy distillation as a reward by token: Lu and Thinking Machines Lab 2025).
 * The log-prob is the one at which the token was sampled: only the sampled token's own difference has, as a reward, the gradient of the
 * reverse KL. A sum over ids that are chosen without it has none, and k3 in its place a biased one.
 * @param advantages [T] of the rewards
 * @throws GrpoError `shape`
 */
export function distilledAdvantages(
  advantages: Numbers,
  logProbs: Numbers,
  teacherLogProbs: Numbers,
  settings: TokenDistillation,
): Float64Array {
  checkLength("the teacher's log-probs", teacherLogProbs, logProbs.length);
  checkLength("advantages", advantages, logProbs.length);
  const { mix } = settings;
  return Float64Array.from(logProbs, (logProb, token) => {
    const difference = countedDifference(logProb, at(teacherLogProbs, token), settings);
    return (1 - mix) * at(advantages, token) - mix * difference;
  });
}

/** A divergence and its gradient by what it was given of the student. */
export interface Divergence {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** KL of two distributions from their logits, at temperature 1; the gradient is by the student's logits. */
export function logitDivergence(student: Numbers, teacher: Numbers, direction: DivergenceDirection): Divergence {
  checkLength("the teacher's logits", teacher, student.length);
  const [p, q] = [logSoftmax(student), logSoftmax(teacher)];
  const value = direction === "forward" ? sumOf(q, p) : sumOf(p, q);
  const gradient = p.map((logP, id) =>
    direction === "forward" ? Math.exp(logP) - Math.exp(at(q, id)) : Math.exp(logP) * (logP - at(q, id) - value),
  );
  return { value, gradient };
}

/** KL(from ‖ to). */
function sumOf(from: Float64Array, to: Float64Array): number {
  return from.reduce((sum, logP, id) => sum + Math.exp(logP) * (logP - at(to, id)), 0);
}

function logSoftmax(logits: Numbers): Float64Array {
  const all = Float64Array.from(logits);
  const largest = all.reduce((a, b) => Math.max(a, b));
  const total = largest + Math.log(all.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  return all.map((x) => x - total);
}

/** The probability of all ids that are not among the likeliest counts as at least this: f32 cannot tell less from 0. */
export const LEAST_REST = 1e-6;

/**
 * KL over k ids and over all others as one, from the log-probs of the k: never above that of the whole vocabulary. The gradient is by the
 * student's log-probs.
 */
export function topDivergence(student: Numbers, teacher: Numbers, direction: DivergenceDirection): Divergence {
  checkLength("the teacher's log-probs", teacher, student.length);
  const [own, other] = [restOf(student), restOf(teacher)];
  const ofRest =
    direction === "forward" ? other.rest * Math.log(other.rest / own.rest) : own.rest * Math.log(own.rest / other.rest);
  // d rest / d log p = -p, where the rest is not at its least.
  const slopeOfRest = own.isLeast
    ? 0
    : direction === "forward"
      ? -other.rest / own.rest
      : Math.log(own.rest / other.rest) + 1;
  let value = ofRest;
  const gradient = Float64Array.from(student, (logP, id) => {
    const logQ = at(teacher, id);
    const [p, q] = [Math.exp(logP), Math.exp(logQ)];
    value += direction === "forward" ? q * (logQ - logP) : p * (logP - logQ);
    return (direction === "forward" ? -q : p * (logP - logQ + 1)) - p * slopeOfRest;
  });
  return { value, gradient };
}

function restOf(logProbs: Numbers): { readonly rest: number; readonly isLeast: boolean } {
  const rest = 1 - Array.from(logProbs).reduce((sum, logProb) => sum + Math.exp(logProb), 0);
  return rest > LEAST_REST ? { rest, isLeast: false } : { rest: LEAST_REST, isLeast: true };
}

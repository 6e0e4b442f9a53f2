// What a trace's penalty was computed from, as the step's log keeps it, and D computed from it again.
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import type { IapoSettings } from "../config/types.ts";
import { callDivergence } from "../penalty/divergence.ts";
import { noCallDivergence } from "../penalty/no-call.ts";
import { partitionOptions } from "../scoring/settings.ts";
import { firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";

export type Evidence = Readonly<Record<string, readonly number[]>>;

/** Of a call, [blocks] each: under `student_with_teacher` the scores of both, else the teacher's of the call and of its reference. */
export type CallEvidence = Evidence & {
  readonly student_scores?: readonly number[];
  readonly teacher_scores?: readonly number[];
  readonly call_scores?: readonly number[];
  readonly reference_scores?: readonly number[];
  /** [1] of the call's tokens, under the teacher. */
  readonly call_log_prob?: readonly [number];
};

/** What explaining a call gives; of a response without one, D alone. */
export type Explanation = CallEvidence & {
  /** [1] D. */
  readonly divergence: readonly [number];
};

/** The two explanations that D compares, [blocks] each, and whose they are. */
export interface ComparedScores {
  readonly call: readonly number[];
  readonly reference: readonly number[];
  readonly names: readonly [call: "student" | "call", reference: "teacher" | "reference"];
}

/** Undefined where no call was explained. */
export function comparedScores(evidence: Evidence): ComparedScores | undefined {
  const { student_scores, teacher_scores, call_scores, reference_scores } = evidence;
  if (student_scores && teacher_scores)
    return { call: student_scores, reference: teacher_scores, names: ["student", "teacher"] };
  if (call_scores && reference_scores)
    return { call: call_scores, reference: reference_scores, names: ["call", "reference"] };
  return undefined;
}

/** Of a sample of a step in which lambda was above 0. */
export type PenaltyEvidence = Explanation & {
  /** [1] the weight in this step. */
  readonly lambda: readonly [number];
};

/** Undefined where nothing was penalized: in the cold start, and for a dropped sample. */
export function penaltyEvidence(evidence: Evidence | undefined): PenaltyEvidence | undefined {
  return evidence?.lambda && evidence.divergence ? (evidence as PenaltyEvidence) : undefined;
}

/** Names of the blocks that a trace's scores are for. */
export function blockNames(trace: Trace<ImageRef>, settings: IapoSettings): readonly string[] {
  return promptUnits(trace.blocks, firstTurn(trace), partitionOptions(settings)).names;
}

/**
 * D recomputed, from block scores or, without a call, by the rule; under `group_max`, whose D is that of another trace, as it was logged.
 * @throws IapoError, AttributionError for evidence that makes no sense
 */
export function recomputeDivergence(trace: Trace<ImageRef>, evidence: PenaltyEvidence, settings: IapoSettings): number {
  const scores = comparedScores(evidence);
  if (scores) return callDivergence(scores.call, scores.reference, settings);
  if (settings.noCallPenalty === "group_max") return evidence.divergence[0];
  return noCallDivergence(settings.noCallPenalty, blockNames(trace, settings).length, []);
}

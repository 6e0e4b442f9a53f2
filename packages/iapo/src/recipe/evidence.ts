// What a trace's penalty was computed from, as the step's log keeps it, and D computed from it again.
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import type { IapoSettings } from "../config/types.ts";
import { callDivergence } from "../penalty/divergence.ts";
import { noCallDivergence } from "../penalty/no-call.ts";
import { partitionOptions } from "../scoring/settings.ts";
import { firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";

export type Evidence = Readonly<Record<string, readonly number[]>>;

/** What explaining a call gives. */
export interface Explanation extends Evidence {
  /** [1] D. */
  readonly divergence: readonly [number];
  /** [blocks] scores of the call; of responses without one there are none. */
  readonly student_scores?: readonly number[];
  readonly teacher_scores?: readonly number[];
}

/** Of a sample of a step in which lambda was above 0. */
export interface PenaltyEvidence extends Explanation {
  /** [1] the weight in this step. */
  readonly lambda: readonly [number];
}

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
  const { student_scores: student, teacher_scores: teacher, divergence } = evidence;
  if (student && teacher) return callDivergence(student, teacher, settings);
  if (settings.noCallPenalty === "group_max") return divergence[0];
  return noCallDivergence(settings.noCallPenalty, blockNames(trace, settings).length, []);
}

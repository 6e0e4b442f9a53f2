// How far the student's reasons for a call lie from the teacher's (docs/method.md F7, F8).
import { distribution, divergence, type Numbers } from "@iapo/attribution/math";
import type { PenaltySettings } from "../config/types.ts";
import { IapoError } from "../error.ts";

/** A distribution over blocks from block scores, for `signedL1` twice as long. @throws AttributionError `argument` for scores that are not finite */
export function blockMasses(
  scores: Numbers,
  { normalize, temperature, smoothing }: Pick<PenaltySettings, "normalize" | "temperature" | "smoothing">,
): Float64Array {
  return distribution(scores, { normalizer: normalize, temperature, smoothing });
}

/**
 * D of a call from the block scores [K] of student and teacher, at most `maxPenalty`.
 * @throws IapoError `shape` where the two have other numbers of blocks; AttributionError `argument`
 */
export function callDivergence(student: Numbers, teacher: Numbers, settings: PenaltySettings): number {
  if (student.length !== teacher.length) {
    throw new IapoError(
      "shape",
      `the student's prompt has ${student.length} blocks, the teacher's ${teacher.length}: both need the same prompt and partition`,
    );
  }
  const masses = [blockMasses(student, settings), blockMasses(teacher, settings)] as const;
  return Math.min(settings.maxPenalty, divergence(settings.divergence, ...masses));
}

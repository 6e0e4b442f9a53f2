// Deletion and insertion curves: does the score fall when what is said to matter goes (Petsiuk 2018; docs/method.md H.1)?
import { AttributionError } from "../error.ts";
import type { Numbers } from "./token-scores.ts";

/** Units from the highest score to the lowest; equal ones keep their order. */
export function descendingOrder(scores: Numbers): number[] {
  return Array.from(scores, (score, unit) => ({ score, unit }))
    .sort((a, b) => b.score - a.score || a.unit - b.unit)
    .map(({ unit }) => unit);
}

/**
 * The units that are replaced by the baseline at each point of a curve, n + 1 points for n units. Deletion starts from the whole input and
 * replaces the highest first; insertion starts from the baseline and puts the highest back first.
 */
export function replacedUnits(kind: "deletion" | "insertion", scores: Numbers): number[][] {
  const order = descendingOrder(scores);
  return Array.from({ length: order.length + 1 }, (_, k) => (kind === "deletion" ? order.slice(0, k) : order.slice(k)));
}

/**
 * Area under a curve of evenly spaced points over [0, 1] by the trapezoidal rule, after the values are mapped so that the baseline's
 * score is 0 and the whole input's 1. Low is good for deletion, high for insertion. NaN where both scores are equal.
 * @throws AttributionError `argument` for fewer than two points
 */
export function normalizedArea(values: Numbers, whole: number, baseline: number): number {
  if (values.length < 2) throw new AttributionError("argument", "a curve has at least two points");
  let area = 0;
  for (const [k, value] of Array.from(values).entries()) {
    const height = (value - baseline) / (whole - baseline);
    area += k === 0 || k === values.length - 1 ? height / 2 : height;
  }
  return area / (values.length - 1);
}

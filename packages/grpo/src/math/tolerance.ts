// Which differences of a penalty count: normalized in its group, even a vanishing one has a deviation of 1 (docs/method.md F10).
import { at, type Numbers } from "./batch.ts";

/**
 * `none`: every difference counts. `gate`: a penalty above a number is 1, others 0. `gap`: in ascending order, all behind the first gap of
 * at least a number are 1, those before it 0. `floor`: a penalty is at most `most`, and a group's deviation at least `deviation`.
 */
export type Tolerance =
  | { readonly kind: "none" }
  | { readonly kind: "gate"; readonly above: number }
  | { readonly kind: "gap"; readonly atLeast: number }
  | { readonly kind: "floor"; readonly deviation: number; readonly most: number };

/** The penalties of one group as they count; NaN, of a response that was not scored, stays. */
export function toleratedPenalties(values: Numbers, tolerance: Tolerance): Float64Array {
  const all = Float64Array.from(values);
  switch (tolerance.kind) {
    case "none":
      return all;
    case "floor":
      return all.map((value) => Math.min(value, tolerance.most));
    case "gate":
      return above(all, tolerance.above);
    case "gap":
      return above(all, lastBeforeGap(all, tolerance.atLeast));
  }
}

/** 1 above a limit, else 0. */
function above(values: Float64Array, limit: number): Float64Array {
  return values.map((value) => (Number.isNaN(value) ? value : Number(value > limit)));
}

/** The largest value that the smallest one reaches by steps below `gap`. */
function lastBeforeGap(values: Float64Array, gap: number): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const last = sorted.findIndex((value, i) => i + 1 < sorted.length && at(sorted, i + 1) - value >= gap);
  return sorted.at(last) ?? 0;
}

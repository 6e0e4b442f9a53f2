// How alike two attributions of the same input are.
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import type { Numbers } from "./token-scores.ts";

/** Each in -1 to 1: 1 where both agree, near 0 where they have nothing in common, NaN where one of them tells nothing apart. */
export interface Similarity {
  /** Spearman's correlation of the scores' ranks. */
  readonly rankCorrelation: number;
  /** Spearman's correlation of the ranks of |score|, blind to signs. */
  readonly absoluteRankCorrelation: number;
  readonly cosine: number;
}

/** @throws AttributionError `shape` for different numbers of scores, `argument` for scores that are not finite */
export function similarity(one: Numbers, other: Numbers): Similarity {
  if (one.length !== other.length) {
    throw new AttributionError("shape", `${one.length} scores cannot be compared with ${other.length}`);
  }
  const [a, b] = [Float64Array.from(one), Float64Array.from(other)];
  if (![...a, ...b].every(Number.isFinite)) throw new AttributionError("argument", "compared scores must be finite");
  return {
    rankCorrelation: cosine(centered(ranks(a)), centered(ranks(b))),
    absoluteRankCorrelation: cosine(centered(ranks(a.map(Math.abs))), centered(ranks(b.map(Math.abs)))),
    cosine: cosine(a, b),
  };
}

/** Ranks from 1; equal values share the mean of their ranks. */
function ranks(values: Float64Array): Float64Array {
  const sorted = values.toSorted();
  const rankOf = new Map<number, number>();
  for (const [i, value] of sorted.entries()) {
    if (!rankOf.has(value)) rankOf.set(value, (i + 1 + sorted.lastIndexOf(value) + 1) / 2);
  }
  return values.map((value) => rankOf.get(value) ?? Number.NaN);
}

function centered(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}

function cosine(a: Float64Array, b: Float64Array): number {
  const [one, other] = [unit(a), unit(b)];
  return one.reduce((sum, value, i) => sum + value * at(other, i), 0);
}

/** Over the largest first, so that neither huge nor tiny scores leave the range of f64. */
function unit(values: Float64Array): Float64Array {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scaled = values.map((value) => value / largest);
  const length = Math.sqrt(scaled.reduce((sum, value) => sum + value * value, 0));
  return scaled.map((value) => value / length);
}

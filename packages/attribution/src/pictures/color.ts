// The one color scale of signed scores: orange supports, blue opposes, white is 0; symmetric, so that equal strength looks equally strong.
// Blue and orange stay apart under every common color blindness, and black text is readable on all of the scale.
import { AttributionError } from "../error.ts";
import type { Numbers } from "../math/token-scores.ts";

/** Each 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

export const blue: Rgb = [92, 157, 226];
export const orange: Rgb = [240, 140, 44];

/** Share of the sum of |scores| that lies within the scale; the rest is clipped to its ends (docs/method.md H.3, after Captum). */
const shown = 0.98;

/**
 * The score at which the scale ends: ordered by |score|, the first up to which 98 % of the sum of |scores| lies. 0 where all are 0.
 * @throws AttributionError `argument` for scores that are not finite
 */
export function scaleLimit(scores: Numbers): number {
  const sizes = Float64Array.from(scores, Math.abs).sort();
  if (!sizes.every(Number.isFinite))
    throw new AttributionError("argument", "scores to be shown must be finite numbers");
  const largest = sizes.at(-1) ?? 0;
  if (largest === 0) return 0;
  // Over the largest, so that the sum stays finite.
  const total = sizes.reduce((sum, size) => sum + size / largest, 0);
  let sum = 0;
  for (const size of sizes) {
    sum += size / largest;
    if (sum >= shown * total) return size;
  }
  return largest;
}

/** Place on the scale, -1 to 1. */
export function placeOf(score: number, limit: number): number {
  return limit > 0 ? Math.min(1, Math.max(-1, score / limit)) : 0;
}

/** Color of a place on the scale. */
export function colorOf(place: number): Rgb {
  const end = place < 0 ? blue : orange;
  return mix([255, 255, 255], end, Math.abs(place));
}

/** From `one` (share 0) to `other` (share 1). */
export function mix(one: Rgb, other: Rgb, share: number): Rgb {
  const at = (c: 0 | 1 | 2): number => Math.round(one[c] + (other[c] - one[c]) * share);
  return [at(0), at(1), at(2)];
}

export function hex(color: Rgb): string {
  return `#${color.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
}

// The similarity reward of VTool-R1's first code (method.md C.2), kept with its holes for parity runs.
import { pythonFloat } from "./python-text.ts";

/** 1 - |a - b| / max(|a|, |b|); 1 where equal, 0 where exactly one is 0, down to -1 for opposite signs. */
export function similarity(a: number, b: number): number {
  if (a === b) return 1;
  if (a === 0 || b === 0) return 0;
  return 1 - Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

/**
 * For every answer (parted by `||`) the best similarity to any truth, summed and divided by the number of truths.
 * Not bounded by 1 ("5||5||5" against one "5" is 3) and NaN for infinite answers: both are the published behavior.
 */
export function similarityV1(answer: string, truths: readonly string[]): number {
  let total = 0;
  for (const item of answer.split("||")) {
    const value = pythonFloat(item);
    const candidates: number[] = [];
    for (const truth of truths) {
      const target = pythonFloat(truth);
      if (target !== null && value !== null) candidates.push(similarity(target, value));
      else if (item === truth) candidates.push(1);
    }
    total += pythonMaximum(candidates);
  }
  return total / Math.max(1, truths.length);
}

/** Python's `max`: the first of the largest, where nothing beats a leading NaN. 0 for an empty list. */
function pythonMaximum(values: readonly number[]): number {
  let best = values[0] ?? 0;
  for (const value of values) if (value > best) best = value;
  return best;
}

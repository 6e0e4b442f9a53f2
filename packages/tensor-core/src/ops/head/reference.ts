// The head's slow f64 reference.
import { at, element, matrixShape } from "../../checked.ts";
import type { ReferenceArray } from "../define.ts";
import type { HeadParams } from "./params.ts";

/** Log-prob [pairs], entropy [pairs] and log-normalizer [rows] of hidden [rows, d] and weight [vocabulary, d]. */
export function headReference(
  hidden: ReferenceArray,
  weight: ReferenceArray,
  params: HeadParams,
): readonly [ReferenceArray, ReferenceArray, ReferenceArray] {
  const [rows] = matrixShape(hidden);
  const { pairs, bannedIds = [] } = params;
  const scores = scaledLogits(hidden, weight, params.temperature ?? 1, new Set(bannedIds));
  const logNormalizer = new Float64Array(rows);
  const entropyOfRow = new Float64Array(rows);
  for (const [r, z] of scores.entries()) {
    const largest = z.reduce((a, b) => Math.max(a, b));
    const total = largest + Math.log(z.reduce((sum, x) => sum + Math.exp(x - largest), 0));
    logNormalizer[r] = total;
    const terms = z.map((x) => (x === Number.NEGATIVE_INFINITY ? 0 : -Math.exp(x - total) * (x - total)));
    entropyOfRow[r] = Number.isNaN(total) ? total : terms.reduce((sum, term) => sum + term, 0);
  }
  const count = pairs.rows.length;
  const logProb = new Float64Array(count);
  const entropy = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const row = at(pairs.rows, i);
    logProb[i] = at(at(scores, row), at(pairs.targets, i)) - at(logNormalizer, row);
    entropy[i] = at(entropyOfRow, row);
  }
  return [
    { shape: [count], data: logProb },
    { shape: [count], data: entropy },
    { shape: [rows], data: logNormalizer },
  ];
}

/** Logits by row, divided by the temperature (by 1 where it is 0); those of banned ids are -infinity. */
export function scaledLogits(
  hidden: ReferenceArray,
  weight: ReferenceArray,
  temperature: number,
  banned: ReadonlySet<number>,
): Float64Array[] {
  const [rows, d] = matrixShape(hidden);
  const [vocabulary] = matrixShape(weight);
  return Array.from({ length: rows }, (_, r) =>
    Float64Array.from({ length: vocabulary }, (_, v) => {
      if (banned.has(v)) return Number.NEGATIVE_INFINITY;
      let sum = 0;
      for (let k = 0; k < d; k++) sum += element(hidden.data, r * d + k) * element(weight.data, v * d + k);
      return sum / (temperature || 1);
    }),
  );
}

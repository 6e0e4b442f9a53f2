// The slow f64 reference of the divergence of two heads.
import { at } from "../../checked.ts";
import type { ReferenceArray } from "../define.ts";
import type { DivergenceOptions } from "./params.ts";
import { scaledLogits } from "./reference.ts";

type Four = readonly [ReferenceArray, ReferenceArray, ReferenceArray, ReferenceArray];

/** Divergence [rows], then the logs of the softmax denominators of both heads [rows]. */
export function divergenceReference(
  [hidden, weight, otherHidden, otherWeight]: Four,
  { direction, temperature = 1, bannedIds = [] }: DivergenceOptions,
): readonly [ReferenceArray, ReferenceArray, ReferenceArray] {
  const banned = new Set(bannedIds);
  const own = scaledLogits(hidden, weight, temperature, banned);
  const other = scaledLogits(otherHidden, otherWeight, temperature, banned);
  const rows = own.length;
  const made = (): ReferenceArray => ({ shape: [rows], data: new Float64Array(rows) });
  const [divergence, ofOwn, ofOther] = [made(), made(), made()];
  for (let row = 0; row < rows; row++) {
    const [p, q] = [logDistribution(at(own, row)), logDistribution(at(other, row).slice(0, at(own, row).length))];
    ofOwn.data[row] = p.logNormalizer;
    ofOther.data[row] = q.logNormalizer;
    const [from, to] = direction === "reverse" ? [p, q] : [q, p];
    let sum = Number.isNaN(p.logNormalizer + q.logNormalizer) ? Number.NaN : 0;
    from.logProbs.forEach((logProb, id) => {
      if (!banned.has(id)) sum += Math.exp(logProb) * (logProb - at(to.logProbs, id));
    });
    divergence.data[row] = sum;
  }
  return [divergence, ofOwn, ofOther];
}

function logDistribution(scores: Float64Array): { readonly logProbs: Float64Array; readonly logNormalizer: number } {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const logNormalizer = largest + Math.log(scores.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  return { logProbs: scores.map((x) => x - logNormalizer), logNormalizer };
}

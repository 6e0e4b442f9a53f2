// Slow f64 attention over segments: what the kernels are held to.
import { element, rowsOf } from "../../checked.ts";
import type { ReferenceArray } from "../define.ts";
import { keyRow, type SegmentPlan, visibleKeys } from "./plan.ts";

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  /** Values of one head; a multiple of 4, at most 128. */
  readonly headDim: number;
  /** What the dot products are multiplied by. */
  readonly scale: number;
}

/** Output and row log-sum-exp of softmax(scale q k^T) v, by segment and head. */
export function attentionReference(
  [q, k, v]: readonly [ReferenceArray, ReferenceArray, ReferenceArray, ReferenceArray],
  plan: SegmentPlan,
  { heads, kvHeads, headDim, scale }: AttentionShape,
): { out: Float64Array; logSumExp: Float64Array } {
  const out = new Float64Array(q.data.length);
  const logSumExp = new Float64Array(rowsOf(q) * heads);
  for (const segment of plan.segments) {
    for (let i = 0; i < segment.queryCount; i++) {
      const count = visibleKeys(segment, i);
      for (let head = 0; head < heads; head++) {
        const row = (segment.queryStart + i) * heads + head;
        const kvHead = Math.floor(head / (heads / kvHeads));
        const keyAt = (logical: number) => (keyRow(segment, logical) * kvHeads + kvHead) * headDim;
        const scores = Float64Array.from({ length: count }, (_, j) => {
          let s = 0;
          for (let d = 0; d < headDim; d++) s += element(q.data, row * headDim + d) * element(k.data, keyAt(j) + d);
          return s * scale;
        });
        if (count === 0) continue;
        const top = scores.reduce((a, b) => Math.max(a, b));
        if (top === Number.NEGATIVE_INFINITY) continue;
        const sum = scores.reduce((a, s) => a + Math.exp(s - top), 0);
        const total = top + Math.log(sum);
        logSumExp[row] = total;
        for (const [j, score] of scores.entries()) {
          const p = Math.exp(score - total);
          for (let d = 0; d < headDim; d++) {
            const to = row * headDim + d;
            out[to] = element(out, to) + p * element(v.data, keyAt(j) + d);
          }
        }
      }
    }
  }
  return { out, logSumExp };
}

// From one number per token and hidden dimension to one number per token (docs/method.md F5).
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";

/** Numbers by index; every array type fits. */
export type Numbers = ArrayLike<number>;

/** `dot`: the signed sum over the hidden dimensions; `l1`: the sum of absolute values; `l2`: the Euclidean norm. */
export type TokenReduce = "dot" | "l1" | "l2";

/**
 * Scores `[rows]` of the element-wise product of `gradient` and `factor`, both `[rows, width]` flattened: with the embeddings as factor,
 * gradient x embedding (`a_j = <g_j, e_j>` for `dot`); with their distance from a baseline, integrated gradients. Without a factor the
 * gradient itself is reduced. Computed in f64.
 * @throws AttributionError `shape`
 */
export function tokenScores(
  gradient: Numbers,
  factor: Numbers | undefined,
  width: number,
  reduce: TokenReduce,
): Float64Array {
  const rows = gradient.length / width;
  if (!Number.isInteger(rows) || (factor && factor.length !== gradient.length)) {
    const other = factor ? ` and a factor of ${factor.length}` : "";
    throw new AttributionError("shape", `a gradient of ${gradient.length} numbers${other} are not rows of ${width}`);
  }
  const scores = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let total = 0;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const value = factor ? at(gradient, i) * at(factor, i) : at(gradient, i);
      total += reduce === "dot" ? value : reduce === "l1" ? Math.abs(value) : value * value;
    }
    scores[row] = reduce === "l2" ? Math.sqrt(total) : total;
  }
  return scores;
}

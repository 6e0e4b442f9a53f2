// Root-mean-square normalization (Zhang and Sennrich 2019, arXiv 1910.07467, equation 4).
import type { Tensor } from "../tensor.ts";
import { eachOfRow, sumOverRow } from "./row-kernel.ts";
import { defineRowNorm } from "./row-norm.ts";

/** What a row is multiplied by, `r`, from its sum of squares and the number of its elements. */
export const scaleWgsl = (squares: string, columns: string): string =>
  `  let r = 1.0 / sqrt(${squares} / ${columns} + P.epsilon);`;
const scale = scaleWgsl("squares", "P.columns");

/**
 * `x / √(mean(x²) + epsilon) · weight` over the last dimension. `x` f32 [..., D], `weight` f32 or bf16 [D], `epsilon` 1e-6 by default.
 * Throws `shape` where `weight` is not as long as a row.
 */
export const rmsNorm = defineRowNorm({
  name: "rmsNorm",
  summary: "root-mean-square normalization of rows, weighted",
  kernel: "rms_norm",
  call: (x: Tensor, weight: Tensor, epsilon: number = 1e-6) => ({ inputs: [x, weight], params: { epsilon } }),
  hasBias: false,
  forward: `${sumOverRow({ squares: "fma(x[at], x[at], squares)" })}
${scale}${eachOfRow("out[at] = x[at] * r * weight(k);")}`,
  // With h = g·weight: dx = r h - x r³ mean(h x).
  backward: `${sumOverRow({ squares: "fma(x[at], x[at], squares)", product: "fma(g[at] * weight(k), x[at], product)" })}
${scale}
  let c = product * r * r * r / P.columns;
  if (lane == 0u) { stats[row] = vec2f(0.0, r); }${eachOfRow("put(at, r * g[at] * weight(k) - c * x[at]);")}`,
  normalized: (row, epsilon) => {
    const r = 1 / Math.sqrt(row.reduce((s, v) => s + v ** 2, 0) / row.length + epsilon);
    return row.map((v) => v * r);
  },
  cases: [{ name: "large", shape: [700, 516], full: true }],
  epsilon: 1e-6,
});

// Layer normalization (Ba, Kiros and Hinton 2016, arXiv 1607.06450, equation 4).
import type { Tensor } from "../tensor.ts";
import { eachOfRow, sumOverRow } from "./row-kernel.ts";
import { defineRowNorm } from "./row-norm.ts";

// The mean first, then squares of what is left: no cancellation.
const statsWgsl = `${sumOverRow({ elements: "elements + x[at]" })}
  let mean = elements / P.columns;${sumOverRow({ squares: "fma(x[at] - mean, x[at] - mean, squares)" })}
  let r = 1.0 / sqrt(squares / P.columns + P.epsilon);`;

/**
 * `(x - mean(x)) / √(variance(x) + epsilon) · weight + bias` over the last dimension. `x` f32 [..., D]; `weight` and `bias` [D], both f32 or both
 * bf16; `epsilon` 1e-5 by default. Throws `shape` where they are not as long as a row.
 */
export const layerNorm = defineRowNorm({
  name: "layerNorm",
  summary: "layer normalization of rows, weight and bias",
  kernel: "layer_norm",
  call: (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number = 1e-5) => ({
    inputs: [x, weight, bias],
    params: { epsilon },
  }),
  hasBias: true,
  forward: `${statsWgsl}${eachOfRow("out[at] = fma((x[at] - mean) * r, weight(k), bias(k));")}`,
  // With h = g·weight and n = (x - mean) r: dx = r (h - mean(h) - n mean(h n)).
  backward: `${statsWgsl}${sumOverRow({
    first: "fma(g[at], weight(k), first)",
    second: "fma(g[at] * weight(k), (x[at] - mean) * r, second)",
  })}
  if (lane == 0u) { stats[row] = vec2f(mean, r); }${eachOfRow(
    "put(at, r * (g[at] * weight(k) - first / P.columns - (x[at] - mean) * r * (second / P.columns)));",
  )}`,
  normalized: (row, epsilon) => {
    const mean = row.reduce((s, v) => s + v, 0) / row.length;
    const variance = row.reduce((s, v) => s + (v - mean) ** 2, 0) / row.length;
    return row.map((v) => (v - mean) / Math.sqrt(variance + epsilon));
  },
  cases: [{ name: "large", shape: [700, 516], full: true }],
  epsilon: 1e-5,
});

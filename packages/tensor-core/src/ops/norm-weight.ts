// Gradient of the per-column weight of a norm: a sum over rows, in blocks of 64 rows that are then added ascending.
import type { Tensor } from "../tensor.ts";
import { defineColumnSums, dispatchColumnSums } from "./column-sums.ts";
import { asRows } from "./row-kernel.ts";

const kernel = defineColumnSums({
  name: "norm_weight_gradient",
  matrices: ["g", "x"],
  others: { stats: "vec2f" },
  step: "let s = stats[row]; acc = fma(g[at], (x[at] - s.x) * s.y, acc);",
  block: 64,
  flat: false,
});

/** `sum over rows of g · (x - mean) · scale`, f32 [columns]; `stats` is f32 [rows, 2], each row's (mean, scale). */
export function normWeightGradient(g: Tensor, x: Tensor, stats: Tensor, into: Tensor | undefined): Tensor {
  const { device } = x;
  const { rows, columns } = asRows(x);
  const out = into ?? device.empty([columns]);
  dispatchColumnSums(device, kernel, [g, x, stats], out, [rows, columns]);
  return out;
}

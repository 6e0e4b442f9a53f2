// Gradient of the per-column weight of a norm: a sum over rows, in blocks of 64 rows that are then added ascending.
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { dispatchReduce } from "./reduce.ts";
import { asRows } from "./row-kernel.ts";
import { grid, perItemHead } from "./wgsl.ts";

const BLOCK = 64;

const kernel = defineKernel((wide: boolean) => {
  const V = wide ? "vec4f" : "f32";
  return {
    name: `norm_weight_gradient${wide ? "/vec4" : ""}`,
    reads: { g: V, x: V, stats: "vec2f" },
    writes: { out: V },
    uniforms: { items: "u32", rows: "u32", width: "u32" },
    code: `${perItemHead}
  if (i >= P.items) { return; }
  let column = i % P.width;
  let first = (i / P.width) * ${BLOCK}u;
  let end = min(first + ${BLOCK}u, P.rows);
  var acc = ${V}(0.0);
  for (var row = first; row < end; row++) {
    let s = stats[row];
    let at = row * P.width + column;
    acc = fma(g[at], (x[at] - s.x) * s.y, acc);
  }
  out[i] = acc;
}`,
  };
});

/** `sum over rows of g · (x - mean) · scale`, f32 [columns]; `stats` is f32 [rows, 2], each row's (mean, scale). */
export function normWeightGradient(g: Tensor, x: Tensor, stats: Tensor): Tensor {
  const { device } = x;
  const { rows, columns } = asRows(x);
  const wide = columns % 4 === 0;
  const width = wide ? columns / 4 : columns;
  const blocks = Math.ceil(rows / BLOCK);
  const partial = device.empty([blocks, columns]);
  const items = blocks * width;
  device.dispatch(kernel(wide), {
    reads: [g, x, stats],
    writes: [partial],
    uniforms: [items, rows, width],
    groups: grid(device, items),
  });
  const out = device.empty([columns]);
  dispatchReduce(device, "sum", [partial], out, { outer: 1, length: blocks, inner: columns });
  partial.dispose();
  return out;
}

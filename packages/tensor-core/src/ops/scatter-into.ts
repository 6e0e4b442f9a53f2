// The kernel behind scatterRows and the gradient of gatherRows.
import { rowsOf } from "../checked.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { fillInto } from "./fill.ts";
import type { IndexSizes } from "./row-index.ts";
import { grid, perItemHead } from "./wgsl.ts";

// A thread per vector of each distinct target row; it adds that row's contributions in ascending position.
const kernel = defineKernel((wide: boolean) => {
  const V = wide ? "vec4f" : "f32";
  return {
    name: `scatter_rows${wide ? "/vec4" : ""}`,
    reads: { rows: V, words: "u32" },
    writes: { out: V },
    uniforms: { items: "u32", width: "u32", length: "u32", distinct: "u32", start: "u32", count: "u32" },
    code: `${perItemHead}
  if (i >= P.items) { return; }
  let k = i / P.width;
  let column = i - k * P.width;
  let target_row = words[P.length + k] - P.start; // wraps to a large number before the part
  if (target_row >= P.count) { return; }
  let offsets = P.length + P.distinct;
  let positions = offsets + P.distinct + 1u;
  let end = words[offsets + k + 1u];
  var acc = ${V}(0.0);
  for (var j = words[offsets + k]; j < end; j++) { acc = acc + rows[words[positions + j] * P.width + column]; }
  out[target_row * P.width + column] = acc;
}`,
  };
});

/** Fills `out` (f32, also row-sharded): row r is the sum of the `rows` whose number is r, or zeros. */
export function scatterInto(out: Tensor, rows: Tensor, words: Tensor, { length, distinct }: IndexSizes): void {
  const { device } = rows;
  const columns = rows.size / (length || 1);
  const wide = columns % 4 === 0;
  const width = wide ? columns / 4 : columns;
  const items = distinct * width;
  for (const { start, tensor } of out.parts()) {
    if (distinct < rowsOf(out)) fillInto(tensor, 0);
    device.dispatch(kernel(wide), {
      reads: [rows, words],
      writes: [tensor],
      uniforms: [items, width, length, distinct, start, rowsOf(tensor)],
      groups: grid(device, items),
    });
  }
}

// Sums of rows by number: the transpose of gatherRows.
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { fillInto } from "./fill.ts";
import { gatherRows } from "./gather-rows.ts";
import { type IndexSizes, indexCase, type RowIndex, sizesOf } from "./row-index.ts";
import { grid, perItemHead } from "./wgsl.ts";

// A thread per vector of each distinct target row; it adds that row's contributions in ascending position.
const kernel = (wide: boolean) =>
  defineKernel(`scatter_rows${wide ? "/vec4" : ""}`, () => {
    const V = wide ? "vec4f" : "f32";
    return {
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
    if (distinct < out.shape[0]!) fillInto(tensor, 0);
    device.dispatch(kernel(wide), {
      reads: [rows, words],
      writes: [tensor],
      uniforms: [items, width, length, distinct, start, tensor.shape[0]!],
      groups: grid(device, items),
    });
  }
}

/** f32 [index.rows, ...]: row r is the sum of those rows of `x` (f32 [index.length, ...]) whose number in `index` is r, added in order. */
export const scatterRows: ScatterRows = defineOp({
  name: "scatterRows",
  summary: "sums of rows by number",
  call: (x: Tensor, index: RowIndex) => ({ inputs: [x, index.words], params: sizesOf(index) }),
  infer: ([x], { length, rows }: IndexSizes) => {
    expectDType("scatterRows", x!, "f32");
    if (x!.shape[0] !== length) shapeError("scatterRows", `${length} row numbers do not fit ${x}`);
    return [{ shape: [rows, ...x!.shape.slice(1)] }];
  },
  run: (_device, [x, words], [out], sizes) => scatterInto(out!, x!, words!, sizes),
  vjp: ({ inputs: [, words], cotangents: [g], params }) =>
    gatherRows.apply([g!, words!], { ...params, shards: undefined }),
  saves: { inputs: [1] },
  reference: ([x, words], { length, rows }) => {
    const columns = x!.data.length / (length || 1);
    const shape = [rows, ...x!.shape.slice(1)];
    const data = new Float64Array(shape.reduce((product, n) => product * n, 1));
    for (let i = 0; i < length; i++)
      for (let c = 0; c < columns; c++) data[words!.data[i]! * columns + c]! += x!.data[i * columns + c]!;
    return [{ shape, data }];
  },
  cases: [
    scatterCase("vec4, repeats", [5, 8], [5, 0, 5, 2, 5], 6),
    scatterCase("ragged", [3, 7], [3, 3, 1], 4),
    scatterCase("permutation", [5, 4], [4, 2, 0, 1, 3], 5),
    scatterCase("no rows", [0, 4], [], 3),
    {
      ...scatterCase(
        "large",
        [900, 64],
        Array.from({ length: 900 }, (_, i) => (i * i) % 300),
        300,
      ),
      full: true,
    },
  ],
});

type ScatterRows = ReturnType<typeof defineOp<[x: Tensor, index: RowIndex], IndexSizes>>;

function scatterCase(name: string, shape: number[], indices: number[], rows: number) {
  const { input, sizes } = indexCase(indices, rows);
  return { name, inputs: [{ shape }, input], params: sizes };
}

// Sums of rows by number: the transpose of gatherRows.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type Op, shapeError } from "./define.ts";
import { gatherInto } from "./gather-into.ts";
import { type IndexSizes, indexCase, type RowIndex, sizesOf } from "./row-index.ts";
import { scatterInto } from "./scatter-into.ts";

/** f32 [index.rows, ...]: row r is the sum of those rows of `x` (f32 [index.length, ...]) whose number in `index` is r, added in order. */
export const scatterRows: ((x: Tensor, index: RowIndex) => Tensor) & Op = defineOp({
  name: "scatterRows",
  summary: "sums of rows by number",
  call: (x: Tensor, index: RowIndex) => ({ inputs: [x, index.words], params: sizesOf(index) }),
  infer: ([x], { length, rows }: IndexSizes) => {
    expectDType("scatterRows", x, "f32");
    if (x.shape[0] !== length) shapeError("scatterRows", `${length} row numbers do not fit ${x}`);
    return [{ shape: [rows, ...x.shape.slice(1)] }];
  },
  run: (_device, [x, words], [out], sizes) => scatterInto(out, x, words, sizes),
  vjp: ({ inputs: [x, words], cotangents: [g] }) => {
    const gradient = g.device.empty(x.shape);
    gatherInto(gradient, g, words);
    return [gradient, undefined];
  },
  saves: { inputs: [1] },
  reference: ([x, words], { length, rows }) => {
    const columns = x.data.length / (length || 1);
    const shape = [rows, ...x.shape.slice(1)];
    const data = new Float64Array(shape.reduce((product, n) => product * n, 1));
    for (let i = 0; i < length; i++)
      for (let c = 0; c < columns; c++) {
        const to = at(words.data, i) * columns + c;
        data[to] = at(data, to) + at(x.data, i * columns + c);
      }
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

function scatterCase(name: string, shape: number[], indices: number[], rows: number) {
  const { input, sizes } = indexCase(indices, rows);
  return { name, inputs: [{ shape }, input], params: sizes };
}

// A matrix with some rows replaced: image embeddings put in the place of their placeholders.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type Op, shapeError } from "./define.ts";
import { fill } from "./fill.ts";
import { gatherRows } from "./gather-rows.ts";
import { expectDistinct, type IndexSizes, indexCase, type RowIndex, sizesOf } from "./row-index.ts";
import { dispatchWriteRows } from "./write-rows.ts";

/**
 * A copy of `x` (f32 [index.rows, ...]) with row `index[i]` replaced by row i of `rows` (f32 [index.length, ...]). A replaced row of `x` gets no
 * gradient. Throws `argument` where a row number occurs twice.
 */
export const overwriteRows: ((x: Tensor, rows: Tensor, index: RowIndex) => Tensor) & Op = defineOp({
  name: "overwriteRows",
  summary: "a copy with some rows replaced",
  call: (x: Tensor, rows: Tensor, index: RowIndex) => ({ inputs: [x, rows, index.words], params: sizesOf(index) }),
  infer: ([x, rows], sizes: IndexSizes) => {
    expectDistinct("overwriteRows", sizes);
    for (const t of [x, rows]) expectDType("overwriteRows", t, "f32");
    const fits = x.shape[0] === sizes.rows && rows.shape[0] === sizes.length;
    if (!fits || String(x.shape.slice(1)) !== String(rows.shape.slice(1)))
      shapeError("overwriteRows", `${rows} and ${sizes.length} of ${sizes.rows} row numbers do not fit ${x}`);
    return [{ shape: x.shape }];
  },
  run: (device, [x, rows, words], [out], sizes) => {
    device.copyBytes(x, 0, out, 0, x.bytes);
    dispatchWriteRows(out, rows, words, sizes);
  },
  vjp: ({ inputs: [, rows, words], cotangents: [g], params, needs }) => [
    needs[0] ? overwriteRows.apply([g, fill(g.device, rows.shape, 0), words], params)[0] : undefined,
    needs[1] ? gatherRows.apply([g, words], { ...params, shards: undefined })[0] : undefined,
    undefined,
  ],
  saves: { inputs: [2] },
  reference: ([x, rows, words], { length }) => {
    const data = x.data.slice();
    const columns = rows.data.length / (length || 1);
    for (let i = 0; i < length; i++)
      data.set(rows.data.subarray(i * columns, (i + 1) * columns), at(words.data, i) * columns);
    return [{ shape: x.shape, data }];
  },
  cases: [
    overwriteCase("vec4", [6, 8], [4, 1, 5]),
    overwriteCase("ragged", [5, 3], [2]),
    overwriteCase("all rows", [3, 4], [2, 0, 1]),
    overwriteCase("no rows", [3, 4], []),
  ],
});

function overwriteCase(name: string, shape: number[], indices: number[]) {
  const { input, sizes } = indexCase(indices, at(shape, 0));
  return { name, inputs: [{ shape }, { shape: [indices.length, ...shape.slice(1)] }, input], params: sizes };
}

// Rows of a matrix by number: embedding lookup, reordering, picking rows.
import { at, rowsOf } from "../checked.ts";
import { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { gatherInto } from "./gather-into.ts";
import { type IndexSizes, indexCase, type RowIndex, sizesOf } from "./row-index.ts";
import { scatterInto } from "./scatter-into.ts";

interface Params extends IndexSizes {
  /** Rows of each part of a row-sharded matrix. */
  readonly shards: readonly number[] | undefined;
}

/**
 * Rows `index` of `x`: f32 [index.length, ...]. `x` is f32 or bf16 [index.rows, ...], also row-sharded. Its gradient is the sum of the
 * cotangent rows that name a row, in ascending position (f32, sharded as `x`). Throws `shape` where `index` is of another number of rows.
 */
export const gatherRows = defineOp({
  name: "gatherRows",
  summary: "rows by number; the embedding lookup",
  call: (x: Tensor, index: RowIndex) => ({
    inputs: [x, index.words],
    params: { ...sizesOf(index), shards: x.shards?.map(rowsOf) },
  }),
  infer: ([x], { length, rows }: Params) => {
    expectDType("gatherRows", x, "f32", "bf16");
    if (x.shape[0] !== rows) shapeError("gatherRows", `an index into ${rows} rows does not fit ${x}`);
    return [{ shape: [length, ...x.shape.slice(1)] }];
  },
  run: (_device, [x, words], [out]) => gatherInto(out, x, words),
  vjp: ({ inputs: [x, words], cotangents: [g], params }) => {
    const { device } = g;
    const shards = params.shards?.map((count) => device.empty([count, ...x.shape.slice(1)]));
    const gradient = shards ? new Tensor(device, x.shape, "f32", { shards }) : device.empty(x.shape);
    scatterInto(gradient, g, words, params);
    return [gradient, undefined];
  },
  saves: { inputs: [1] },
  reference: ([x, words], { length }) => {
    const columns = x.data.length / (x.shape[0] || 1);
    const shape = [length, ...x.shape.slice(1)];
    const data = new Float64Array(length * columns);
    for (let i = 0; i < length; i++) {
      const row = at(words.data, i);
      data.set(x.data.subarray(row * columns, (row + 1) * columns), i * columns);
    }
    return [{ shape, data }];
  },
  cases: [
    gatherCase("vec4, repeats", [6, 8], [5, 0, 5, 2, 5]),
    gatherCase("ragged", [4, 7], [3, 3, 1]),
    gatherCase("three dimensions", [4, 2, 3], [1, 0]),
    gatherCase("permutation", [5, 4], [4, 2, 0, 1, 3]),
    gatherCase("no rows", [4, 4], []),
    { ...gatherCase("bf16", [6, 10], [5, 0, 5, 2]), inputs: bf16Inputs([6, 10], [5, 0, 5, 2]) },
    {
      ...gatherCase(
        "large",
        [300, 64],
        Array.from({ length: 900 }, (_, i) => (i * i) % 300),
      ),
      full: true,
    },
  ],
});

function gatherCase(name: string, shape: number[], indices: number[]) {
  const { input, sizes } = indexCase(indices, at(shape, 0));
  return { name, inputs: [{ shape }, input], params: { ...sizes, shards: undefined } };
}

function bf16Inputs(shape: number[], indices: number[]) {
  return [{ shape, dtype: "bf16" as const }, indexCase(indices, at(shape, 0)).input];
}

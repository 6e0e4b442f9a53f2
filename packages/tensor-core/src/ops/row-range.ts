// A range of rows without a copy.

import { byteLengthOf } from "../dtype.ts";
import { type Tensor, viewOf } from "../tensor.ts";
import { defineView } from "./define.ts";
import { expectRange, padded } from "./slice.ts";

interface Params {
  readonly start: number;
  readonly end: number;
}

/** Rows `start` to `end` (exclusive) of `x` along its first dimension, sharing its storage; any dtype. Throws `shape` for a range outside. */
export const rowRange = defineView({
  name: "rowRange",
  summary: "a range of rows, no copy",
  call: (x: Tensor, start: number, end: number) => ({ inputs: [x], params: { start, end } }),
  view: (x, { start, end }: Params) => {
    expectRange("rowRange", x, 0, start, end);
    const rest = x.shape.slice(1);
    return viewOf(x, [end - start, ...rest], byteLengthOf([start, ...rest], x.dtype));
  },
  vjp: ({ inputs: [x], cotangents: [g], params }) => [padded(g, x.shape, { axis: 0, ...params })],
  saves: { inputs: [] },
  reference: ([x], { start, end }) => {
    const columns = x.data.length / (x.shape[0] || 1);
    const data = x.data.slice(start * columns, end * columns);
    return [{ shape: [end - start, ...x.shape.slice(1)], data }];
  },
  cases: [
    { name: "unaligned", inputs: [{ shape: [5, 3] }], params: { start: 1, end: 4 } },
    { name: "aligned", inputs: [{ shape: [8, 64] }], params: { start: 2, end: 8 } },
    { name: "nothing", inputs: [{ shape: [4, 2] }], params: { start: 4, end: 4 } },
    { name: "bf16", inputs: [{ shape: [4, 6], dtype: "bf16", constant: true }], params: { start: 1, end: 3 } },
  ],
});

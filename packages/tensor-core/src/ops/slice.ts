// A range along an axis, as a copy.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { aroundAxis, resolveAxis } from "./axis.ts";
import { copyColumns } from "./copy-columns.ts";
import { defineOp, shapeError } from "./define.ts";
import { fill } from "./fill.ts";

interface Params {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/** Positions `start` to `end` (exclusive) of `x` along `axis` (negative counts from the end), copied; any dtype. `rowRange` does rows without a copy. Throws `shape` for a range outside. */
export const slice = defineOp({
  name: "slice",
  summary: "a range along an axis, copied",
  call: (x: Tensor, axis: number, start: number, end: number) => ({
    inputs: [x],
    params: { axis: resolveAxis("slice", x.shape, axis), start, end },
  }),
  infer: ([x], { axis, start, end }: Params) => {
    expectRange("slice", x, axis, start, end);
    return [{ shape: x.shape.map((n, k) => (k === axis ? end - start : n)), dtype: x.dtype }];
  },
  run: (_device, [x], [out], { axis, start, end }) => {
    const { outer, length, inner } = aroundAxis(x.shape, axis);
    const width = (end - start) * inner;
    const from = { tensor: x, start: start * inner, stride: length * inner };
    copyColumns(from, { tensor: out, start: 0, stride: width }, outer, width);
  },
  vjp: ({ inputs: [x], cotangents: [g], params }) => [padded(g, x.shape, params)],
  saves: { inputs: [] },
  reference: ([x], { axis, start, end }) => {
    const { outer, length, inner } = aroundAxis(x.shape, axis);
    const width = (end - start) * inner;
    const data = new Float64Array(outer * width);
    for (let o = 0; o < outer; o++) {
      const from = (o * length + start) * inner;
      data.set(x.data.subarray(from, from + width), o * width);
    }
    return [{ shape: x.shape.map((n, k) => (k === axis ? end - start : n)), data }];
  },
  cases: [
    { name: "columns, vec4", inputs: [{ shape: [5, 12] }], params: { axis: 1, start: 4, end: 12 } },
    { name: "columns, ragged", inputs: [{ shape: [5, 7] }], params: { axis: 1, start: 1, end: 4 } },
    { name: "rows", inputs: [{ shape: [5, 3] }], params: { axis: 0, start: 2, end: 5 } },
    { name: "middle", inputs: [{ shape: [2, 5, 3] }], params: { axis: 1, start: 1, end: 4 } },
    { name: "nothing", inputs: [{ shape: [2, 5] }], params: { axis: 1, start: 3, end: 3 } },
    { name: "i32", inputs: [{ shape: [9], dtype: "i32" }], params: { axis: 0, start: 2, end: 7 } },
    { name: "bf16", inputs: [{ shape: [3, 8], dtype: "bf16", constant: true }], params: { axis: 1, start: 2, end: 6 } },
  ],
});

/** Throws `shape` in the name of `op` for a range that is not inside. */
export function expectRange(op: string, x: Tensor, axis: number, start: number, end: number): void {
  const whole = Number.isInteger(start) && Number.isInteger(end);
  if (!whole || start < 0 || end < start || end > at(x.shape, axis))
    shapeError(op, `${x} has no range ${start} to ${end} along axis ${axis}`);
}

/** Zeros of `shape` with `g` in the range: the transpose of `slice`. */
export function padded(g: Tensor, shape: readonly number[], { axis, start, end }: Params): Tensor {
  const out = fill(g.device, shape, 0);
  const { outer, length, inner } = aroundAxis(shape, axis);
  const width = (end - start) * inner;
  const to = { tensor: out, start: start * inner, stride: length * inner };
  copyColumns({ tensor: g, start: 0, stride: width }, to, outer, width);
  return out;
}

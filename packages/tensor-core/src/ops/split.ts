// One tensor cut into several along an axis, as copies. Its gradient joins the pieces' in one pass, where slices would pad and add each.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { aroundAxis, resolveAxis } from "./axis.ts";
import { concat } from "./concat.ts";
import { copyColumns } from "./copy-columns.ts";
import { defineOp, type ReferenceArray, shapeError } from "./define.ts";
import { fill } from "./fill.ts";

interface Params {
  readonly axis: number;
  readonly sizes: readonly number[];
}

/** `x` along `axis` (negative counts from the end) in pieces of `sizes`, copied; any dtype. Throws `shape` where they do not add up to the axis. */
export const split = defineOp({
  name: "split",
  summary: "pieces along an axis, copied",
  call: (x: Tensor, axis: number, sizes: readonly number[]) => ({
    inputs: [x],
    params: { axis: resolveAxis("split", x.shape, axis), sizes },
  }),
  infer: ([x], { axis, sizes }: Params) => {
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    if (whole !== x.shape[axis] || sizes.some((size) => !Number.isInteger(size) || size < 0))
      shapeError("split", `${x} has no pieces of ${sizes.join(", ")} along axis ${axis}`);
    return sizes.map((size) => ({ shape: withLength(x.shape, axis, size), dtype: x.dtype }));
  },
  result: (outputs: readonly Tensor[]) => outputs,
  run: (_device, [x], outputs, { axis, sizes }) => {
    const { outer, length, inner } = aroundAxis(x.shape, axis);
    let start = 0;
    sizes.forEach((size, k) => {
      const width = size * inner;
      copyColumns(
        { tensor: x, start, stride: length * inner },
        { tensor: at(outputs, k), start: 0, stride: width },
        outer,
        width,
      );
      start += width;
    });
  },
  vjp: ({ outputs, cotangents, params: { axis } }) => [
    concat(
      outputs.map((output, k) => cotangents[k] ?? fill(output.device, output.shape, 0)),
      axis,
    ),
  ],
  saves: { inputs: [] },
  reference: ([x], { axis, sizes }) => {
    const { outer, length, inner } = aroundAxis(x.shape, axis);
    let start = 0;
    return sizes.map((size): ReferenceArray => {
      const width = size * inner;
      const data = new Float64Array(outer * width);
      for (let o = 0; o < outer; o++) {
        const from = o * length * inner + start;
        data.set(x.data.subarray(from, from + width), o * width);
      }
      start += width;
      return { shape: withLength(x.shape, axis, size), data };
    });
  },
  cases: [
    { name: "columns, vec4", inputs: [{ shape: [5, 12] }], params: { axis: 1, sizes: [4, 8] } },
    { name: "columns, ragged", inputs: [{ shape: [5, 7] }], params: { axis: 1, sizes: [1, 3, 3] } },
    { name: "rows, one of none", inputs: [{ shape: [5, 3] }], params: { axis: 0, sizes: [2, 0, 3] } },
    { name: "middle", inputs: [{ shape: [2, 5, 3] }], params: { axis: 1, sizes: [4, 1] } },
    { name: "one piece", inputs: [{ shape: [2, 5] }], params: { axis: 1, sizes: [5] } },
    { name: "bf16", inputs: [{ shape: [3, 8], dtype: "bf16", constant: true }], params: { axis: 1, sizes: [2, 6] } },
  ],
});

const withLength = (shape: readonly number[], axis: number, length: number): number[] =>
  shape.map((n, k) => (k === axis ? length : n));

// Another shape for the same elements.

import { sizeOf } from "../dtype.ts";
import { type Tensor, viewOf } from "../tensor.ts";
import { defineView, shapeError } from "./define.ts";

interface Params {
  readonly shape: readonly number[];
}

/** The elements of `x` in row-major order under `shape`, without a copy; every dtype. Throws `shape` where the sizes differ. */
export const reshape = defineView({
  name: "reshape",
  summary: "another shape, no copy",
  call: (x: Tensor, shape: readonly number[]) => ({ inputs: [x], params: { shape } }),
  view: (x, { shape }: Params) => {
    if (sizeOf(shape) !== x.size) shapeError("reshape", `${x} does not fit [${shape.join(", ")}]`);
    return viewOf(x, shape);
  },
  vjp: ({ inputs: [x], cotangents: [g] }) => [viewOf(g, x.shape)],
  saves: { inputs: [] },
  reference: ([x], { shape }) => [{ shape, data: x.data }],
  cases: [
    { name: "matrix", inputs: [{ shape: [3, 8] }], params: { shape: [6, 4] } },
    { name: "to nothing", inputs: [{ shape: [1, 1] }], params: { shape: [] } },
    { name: "empty", inputs: [{ shape: [0, 3] }], params: { shape: [3, 0] } },
    { name: "bf16", inputs: [{ shape: [4, 6], dtype: "bf16", constant: true }], params: { shape: [2, 12] } },
    { name: "u32", inputs: [{ shape: [4, 5], dtype: "u32" }], params: { shape: [20] } },
  ],
});

// Broadcasting to a larger shape.
import { sizeOf } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { broadcastInto, broadcastReader, broadcastShape } from "./broadcast.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { sumTo } from "./sum-to.ts";

interface Params {
  readonly shape: readonly number[];
}

/** `x` broadcast to `shape` (aligned at the last dimension, lengths of 1 repeat); f32. */
export const broadcastTo = defineOp({
  name: "broadcastTo",
  summary: "repeats dimensions of length 1",
  call: (x: Tensor, shape: readonly number[]) => ({ inputs: [x], params: { shape } }),
  infer: ([x], { shape }: Params) => {
    expectDType("broadcastTo", x, "f32");
    const common = broadcastShape("broadcastTo", [x.shape, shape]);
    if (String(common) !== String(shape)) shapeError("broadcastTo", `${x} does not broadcast to [${shape.join(", ")}]`);
    return [{ shape }];
  },
  run: (_device, [x], [out]) => broadcastInto(out, x),
  vjp: ({ inputs: [x], cotangents: [g] }) => [sumTo(g, x.shape)],
  saves: { inputs: [] },
  reference: ([x], { shape }) => {
    const read = broadcastReader(x, shape);
    return [{ shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => read(i)) }];
  },
  cases: [
    { name: "scalar", inputs: [{ shape: [] }], params: { shape: [3, 5] } },
    { name: "row", inputs: [{ shape: [8] }], params: { shape: [3, 8] } },
    { name: "column", inputs: [{ shape: [3, 1] }], params: { shape: [3, 7] } },
    { name: "middle", inputs: [{ shape: [2, 1, 3] }], params: { shape: [2, 4, 3] } },
    { name: "itself", inputs: [{ shape: [2, 3] }], params: { shape: [2, 3] } },
    { name: "empty", inputs: [{ shape: [1, 4] }], params: { shape: [0, 4] } },
  ],
});

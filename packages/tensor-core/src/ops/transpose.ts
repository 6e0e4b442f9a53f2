// Transpose of a matrix.
import { at, matrixShape } from "../checked.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type Op, shapeError } from "./define.ts";
import { grid, perItemHead } from "./wgsl.ts";

const kernel = defineKernel(() => ({
  name: "transpose",
  reads: { x: "u32" },
  writes: { out: "u32" },
  uniforms: { items: "u32", rows: "u32", columns: "u32" },
  code: `${perItemHead}
  if (i < P.items) { out[i] = x[(i % P.rows) * P.columns + i / P.rows]; }
}`,
}));

/** `x` [rows, columns] as [columns, rows]; f32, i32 or u32. */
export const transpose: ((x: Tensor) => Tensor) & Op = defineOp({
  name: "transpose",
  summary: "transpose of a matrix",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("transpose", x, "f32", "i32", "u32");
    const [rows, columns, ...rest] = x.shape;
    if (rows === undefined || columns === undefined || rest.length > 0) shapeError("transpose", `${x} is no matrix`);
    return [{ shape: [columns, rows], dtype: x.dtype }];
  },
  run: (device, [x], [out]) =>
    device.dispatch(kernel(), {
      reads: [x],
      writes: [out],
      uniforms: [x.size, ...matrixShape(x)],
      groups: grid(device, x.size),
    }),
  vjp: ({ cotangents: [g] }) => [transpose(g)],
  saves: { inputs: [] },
  reference: ([x]) => {
    const [rows, columns] = matrixShape(x);
    const data = x.data.map((_, i) => at(x.data, (i % rows) * columns + Math.floor(i / rows)));
    return [{ shape: [columns, rows], data }];
  },
  cases: [
    { name: "ragged", inputs: [{ shape: [5, 7] }], params: {} },
    { name: "row", inputs: [{ shape: [1, 6] }], params: {} },
    { name: "empty", inputs: [{ shape: [0, 6] }], params: {} },
    { name: "u32", inputs: [{ shape: [3, 4], dtype: "u32" }], params: {} },
  ],
});

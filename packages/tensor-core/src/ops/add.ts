// Sum of two tensors.

import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { grid, perItemHead } from "./wgsl.ts";

const kernel = () =>
  defineKernel("add", () => ({
    reads: { a: "f32", b: "f32" },
    writes: { out: "f32" },
    uniforms: { size: "u32" },
    code: `${perItemHead}
  if (i < P.size) { out[i] = a[i] + b[i]; }
}`,
  }));

/** `a + b`; equal shapes, f32. */
export const add = defineOp({
  name: "add",
  summary: "a + b",
  call: (a: Tensor, b: Tensor) => ({ inputs: [a, b], params: {} }),
  infer: ([a, b]) => {
    expectDType("add", a!, "f32");
    expectDType("add", b!, "f32");
    if (String(a!.shape) !== String(b!.shape)) shapeError("add", `${a} and ${b} differ in shape`);
    return [{ shape: a!.shape }];
  },
  run: (device, [a, b], [out]) => {
    device.dispatch(kernel(), {
      reads: [a!, b!],
      writes: [out!],
      uniforms: [out!.size],
      groups: grid(device, out!.size),
    });
  },
  vjp: ({ cotangents: [g] }) => [g, g],
  saves: { inputs: [] },
  reference: ([a, b]) => [{ shape: a!.shape, data: a!.data.map((x, i) => x + b!.data[i]!) }],
  cases: [
    { name: "ragged", inputs: [{ shape: [3, 7] }, { shape: [3, 7] }], params: {} },
    { name: "one element", inputs: [{ shape: [1] }, { shape: [1] }], params: {} },
    { name: "empty", inputs: [{ shape: [0, 4] }, { shape: [0, 4] }], params: {} },
    { name: "large", inputs: [{ shape: [300, 401] }, { shape: [300, 401] }], params: {} },
  ],
});

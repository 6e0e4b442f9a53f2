// Hyperbolic tangent.
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType } from "./define.ts";
import { grid, perItemHead } from "./wgsl.ts";

const forward = () =>
  defineKernel("tanh", () => ({
    reads: { x: "f32" },
    writes: { out: "f32" },
    uniforms: { size: "u32" },
    // Beyond 15 the result is 1 in f32, and some adapters' tanh overflows to NaN.
    code: `${perItemHead}
  if (i < P.size) { out[i] = tanh(clamp(x[i], -15.0, 15.0)); }
}`,
  }));

const backward = () =>
  defineKernel("tanh_backward", () => ({
    reads: { y: "f32", g: "f32" },
    writes: { out: "f32" },
    uniforms: { size: "u32" },
    code: `${perItemHead}
  if (i < P.size) { out[i] = g[i] * (1.0 - y[i] * y[i]); }
}`,
  }));

/** `tanh(x)`; f32. */
export const tanh = defineOp({
  name: "tanh",
  summary: "hyperbolic tangent",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("tanh", x!, "f32");
    return [{ shape: x!.shape }];
  },
  run: (device, [x], [out]) => {
    device.dispatch(forward(), { reads: [x!], writes: [out!], uniforms: [out!.size], groups: grid(device, out!.size) });
  },
  vjp: ({ outputs: [y], cotangents: [g] }) => {
    const { device } = y!;
    const out = device.empty(y!.shape);
    device.dispatch(backward(), {
      reads: [y!, g!],
      writes: [out],
      uniforms: [out.size],
      groups: grid(device, out.size),
    });
    return [out];
  },
  saves: { inputs: [], outputs: [0] },
  reference: ([x]) => [{ shape: x!.shape, data: x!.data.map(Math.tanh) }],
  cases: [
    { name: "ragged", inputs: [{ shape: [3, 7] }], params: {}, tolerance: 1e-5 },
    { name: "saturated", inputs: [{ shape: [4], values: [-100, -20, 20, 100] }], params: {} },
  ],
});

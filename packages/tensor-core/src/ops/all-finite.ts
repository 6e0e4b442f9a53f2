// Test for NaN and infinity, by bits: adapters fold comparisons with NaN.
import type { Tensor } from "../tensor.ts";
import { defineBroadcastKernel, dispatchBroadcast } from "./broadcast.ts";
import { defineOp, expectDType } from "./define.ts";
import { dispatchReduce } from "./reduce.ts";

const isZero = defineBroadcastKernel(() => ({
  name: "is_zero",
  operands: { a: "f32" },
  out: "u32",
  expression: "select(U(0u), U(1u), a == F(0.0))",
}));

/** u32 []: 1 where every element of `x` (f32, any shape) is finite, else 0. Not differentiable. */
export const allFinite = defineOp({
  name: "allFinite",
  summary: "1 where no element is NaN or infinite, else 0",
  nonFinite: "0, which is what it is for",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("allFinite", x, "f32");
    return [{ shape: [], dtype: "u32" as const }];
  },
  run: (device, [x], [out]) => {
    const found = device.empty([]);
    dispatchReduce(device, "nonFinite", [x], found, { outer: 1, length: x.size, inner: 1 });
    dispatchBroadcast(isZero(), [found], out);
    found.dispose();
  },
  reference: ([x]) => [{ shape: [], data: Float64Array.of(x.data.every(Number.isFinite) ? 1 : 0) }],
  cases: [
    { name: "finite", inputs: [{ shape: [5, 7] }], params: {}, tolerance: 0 },
    { name: "NaN", inputs: [{ shape: [7], values: [0, 1, -3e38, Number.NaN, 1, 2, 3] }], params: {}, tolerance: 0 },
    {
      name: "infinity",
      inputs: [{ shape: [8], values: [0, 1, 1e-40, Number.NEGATIVE_INFINITY, 1, 2, 3, 4] }],
      params: {},
      tolerance: 0,
    },
    { name: "two passes", inputs: [{ shape: [129, 151] }], params: {}, tolerance: 0 },
    { name: "empty", inputs: [{ shape: [0] }], params: {}, tolerance: 0 },
  ],
});

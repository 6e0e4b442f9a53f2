// Inner product of two tensors.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { multiply } from "./multiply.ts";
import { dispatchReduce } from "./reduce.ts";

/** `Σ a·b` over all elements: f32 []; equal shapes. */
export const dot = defineOp({
  name: "dot",
  summary: "inner product over all elements",
  call: (a: Tensor, b: Tensor) => ({ inputs: [a, b], params: {} }),
  infer: ([a, b]) => {
    for (const x of [a, b]) expectDType("dot", x, "f32");
    if (String(a.shape) !== String(b.shape)) shapeError("dot", `${a} and ${b} differ in shape`);
    return [{ shape: [] }];
  },
  run: (device, reads, [out]) =>
    dispatchReduce(device, "dot", reads, out, { outer: 1, length: reads[0].size, inner: 1 }),
  vjp: ({ inputs: [a, b], cotangents: [g], needs }) => [
    needs[0] ? multiply(b, g) : undefined,
    needs[1] ? multiply(a, g) : undefined,
  ],
  reference: ([a, b]) => [{ shape: [], data: Float64Array.of(a.data.reduce((s, x, i) => s + x * at(b.data, i), 0)) }],
  // Terms cancel: the error is that of the terms, of which the sum may be a small part.
  cases: [
    { name: "ragged", inputs: [{ shape: [3, 7] }, { shape: [3, 7] }], params: {}, tolerance: 1e-5 },
    { name: "vec4", inputs: [{ shape: [4, 100] }, { shape: [4, 100] }], params: {}, tolerance: 1e-5 },
    { name: "empty", inputs: [{ shape: [0] }, { shape: [0] }], params: {} },
    { name: "two passes", inputs: [{ shape: [129, 151] }, { shape: [129, 151] }], params: {}, tolerance: 1e-5 },
  ],
});

// Norm of several tensors taken as one vector.
import type { Tensor } from "../tensor.ts";
import { clamp } from "./clamp.ts";
import { defineOp, expectDType } from "./define.ts";
import { divide } from "./divide.ts";
import { defineFlatKernel, dispatchFlat } from "./elementwise.ts";
import { multiply } from "./multiply.ts";
import { dispatchReduce } from "./reduce.ts";
import { sumsOfSquares } from "./squares.ts";

const rootKernel = defineFlatKernel(() => ({
  name: "root",
  reads: { x: "vec4f" },
  out: "vec4f",
  expression: "sqrt(x)",
}));

/** Their reciprocals are normal numbers. */
const [SMALLEST, LARGEST] = [1e-37, 8e37];

/** `√(Σ x²)` over all elements of all `tensors`: f32 []; its gradient at zeros is 0. Sharded ones may be given by their parts. */
export const globalNorm = defineOp({
  name: "globalNorm",
  summary: "norm of several tensors as one vector",
  call: (tensors: readonly Tensor[]) => ({ inputs: tensors, params: {} }),
  infer: (tensors) => {
    for (const x of tensors) expectDType("globalNorm", x, "f32");
    return [{ shape: [] }];
  },
  run: (device, tensors, [out]) => {
    const squares = device.empty([tensors.length]);
    sumsOfSquares(device, tensors, squares);
    const total = device.empty([]);
    dispatchReduce(device, "sum", [squares], total, { outer: 1, length: tensors.length, inner: 1 });
    dispatchFlat(rootKernel(), [total], out);
    squares.dispose();
    total.dispose();
  },
  vjp: ({ inputs, outputs: [norm], cotangents: [g], needs }) => {
    const factor = divide(g, clamp(norm, SMALLEST, LARGEST)); // of zeros the norm has a kink: gradient 0
    return inputs.map((x, k) => (needs[k] ? multiply(x, factor) : undefined));
  },
  saves: { outputs: [0] },
  reference: (arrays) => {
    const squares = arrays.reduce((sum, x) => sum + x.data.reduce((s, v) => s + v * v, 0), 0);
    return [{ shape: [], data: Float64Array.of(Math.sqrt(squares)) }];
  },
  cases: [
    { name: "one", inputs: [{ shape: [3, 7] }], params: {} },
    { name: "zeros", inputs: [{ shape: [3], values: [0, 0, 0] }], params: {} },
    {
      name: "several",
      inputs: [{ shape: [3, 7] }, { shape: [16] }, { shape: [0] }, { shape: [130, 140] }],
      params: {},
    },
  ],
});

// Column of the largest element of each row.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType } from "./define.ts";
import { dispatchTopK, orderOf, searchedRows } from "./top-k.ts";

/** Column of the largest element of each row of `x` (f32 [..., n]): u32 [...]. The lowest of equal ones; NaN counts as largest. Not differentiable. */
export const argmax = defineOp({
  name: "argmax",
  summary: "column of the largest element of each row",
  nonFinite: "NaN counts as largest",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("argmax", x, "f32");
    searchedRows("argmax", x);
    return [{ shape: x.shape.slice(0, -1), dtype: "u32" as const }];
  },
  run: (device, [x], [out]) => {
    const values = device.empty(out.shape);
    dispatchTopK(device, x, undefined, [values, out], { ...searchedRows("argmax", x), k: 1 });
    values.dispose();
  },
  reference: ([x]) => {
    const { rows, width } = searchedRows("argmax", x);
    const data = Float64Array.from({ length: rows }, (_, r) =>
      at(orderOf(x.data.subarray(r * width, (r + 1) * width)), 0),
    );
    return [{ shape: x.shape.slice(0, -1), data }];
  },
  cases: [
    { name: "ragged", inputs: [{ shape: [5, 7] }], params: {}, tolerance: 0 },
    { name: "ties", inputs: [{ shape: [2, 4], values: [1, 3, 3, 2, -1, -1, -1, -1] }], params: {}, tolerance: 0 },
    { name: "one column", inputs: [{ shape: [3, 1] }], params: {}, tolerance: 0 },
    { name: "parts", inputs: [{ shape: [3, 5001] }], params: {}, tolerance: 0 },
  ],
});

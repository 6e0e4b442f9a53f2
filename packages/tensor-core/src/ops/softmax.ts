// Softmax over the last dimension.
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type OpCase, type ReferenceArray } from "./define.ts";
import { asRows, defineRowKernel, dispatchRows, eachOfRow, maxOverRow, sumOverRow } from "./row-kernel.ts";

// The exponent is cut off at -87, below which some adapters' exp is not 0 but wrong; e^-87 is 2e-38.
export const exponentialsWgsl = `${maxOverRow("largest", "x")}${sumOverRow({
  total: "total + exp_within(x[at] - largest, -87.0, 0.0)",
})}`;

const forward = defineRowKernel(
  () => "softmax",
  () => ({
    reads: { x: "V" },
    writes: { out: "V" },
    code: `${exponentialsWgsl}
  let inverse = 1.0 / total;${eachOfRow("out[at] = exp_within(x[at] - largest, -87.0, 0.0) * inverse;")}`,
  }),
);

const backward = defineRowKernel(
  () => "softmax_backward",
  () => ({
    reads: { y: "V", g: "V" },
    writes: { dx: "V" },
    code: `${sumOverRow({ product: "fma(g[at], y[at], product)" })}${eachOfRow("dx[at] = y[at] * (g[at] - product);")}`,
  }),
);

/** `e^x / Σ e^x` over the last dimension, by way of the largest element; f32. */
export const softmax = defineOp({
  name: "softmax",
  summary: "softmax over the last dimension",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("softmax", x, "f32");
    return [{ shape: x.shape }];
  },
  run: (device, [x], [out]) => dispatchRows(device, forward(), { reads: [x], writes: [out], ...asRows(x) }),
  vjp: ({ outputs: [y], cotangents: [g] }) => {
    const dx = y.device.empty(y.shape);
    dispatchRows(y.device, backward(), { reads: [y, g], writes: [dx], ...asRows(y) });
    return [dx];
  },
  saves: { inputs: [], outputs: [0] },
  reference: ([x]) => [byRows(x, (row, largest, total) => row.map((v) => Math.exp(v - largest) / total))],
  cases: rowCases(4e-6),
});

/** Applies `fn(row, its largest element, its sum of e^(x - largest))` to every row. */
export function byRows(
  x: ReferenceArray,
  fn: (row: Float64Array, largest: number, total: number) => Float64Array,
): ReferenceArray {
  const columns = x.shape.at(-1) ?? 1;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += columns) {
    const row = x.data.subarray(start, start + columns);
    const largest = row.reduce((m, v) => Math.max(m, v), Number.NEGATIVE_INFINITY);
    const total = row.reduce((s, v) => s + Math.exp(v - largest), 0);
    data.set(fn(row, largest, total), start);
  }
  return { shape: x.shape, data };
}

/** Shapes that the softmax ops are tried on. */
export function rowCases(tolerance: number): OpCase<object>[] {
  const shapes = { ragged: [5, 7], vec4: [2, 3, 8], "one column": [3, 1], "no rows": [0, 8], blocks: [20, 1300] };
  const cases: OpCase<object>[] = Object.entries(shapes).map(([name, shape]) => ({
    name,
    inputs: [{ shape }],
    params: {},
    tolerance,
  }));
  const spread = [80, -80, 0, 3, -500, 88, 90, -90];
  cases.push({ name: "wide spread", inputs: [{ shape: [1, 8], values: spread }], params: {}, tolerance });
  cases.push({ name: "large", inputs: [{ shape: [300, 1028] }], params: {}, tolerance, full: true });
  return cases;
}

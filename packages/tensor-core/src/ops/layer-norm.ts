// Layer normalization (Ba, Kiros and Hinton 2016, arXiv 1607.06450, equation 4).
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { normWeightGradient } from "./norm-weight.ts";
import { reshape } from "./reshape.ts";
import { asRows, columnLoad, defineRowKernel, dispatchRows, eachOfRow, sumOverRow } from "./row-kernel.ts";
import { sum } from "./sum.ts";

interface Params {
  readonly epsilon: number;
}

const uniforms = { epsilon: "f32" } as const;

// The mean first, then squares of what is left: no cancellation.
const statsWgsl = `${sumOverRow({ elements: "elements + x[at]" })}
  let mean = elements / P.columns;${sumOverRow({ squares: "fma(x[at] - mean, x[at] - mean, squares)" })}
  let r = 1.0 / sqrt(squares / P.columns + P.epsilon);`;

const forward = defineRowKernel(
  (dtype) => `layer_norm/${dtype}`,
  (wide, dtype: DType) => {
    const weight = columnLoad("weight", dtype, wide);
    const bias = columnLoad("bias", dtype, wide);
    return {
      reads: { x: "V", weight_data: weight.element, bias_data: bias.element },
      writes: { out: "V" },
      uniforms,
      helpers: `${weight.helper}\n${bias.helper}`,
      code: `${statsWgsl}${eachOfRow("out[at] = fma((x[at] - mean) * r, weight(k), bias(k));")}`,
    };
  },
);

// With h = g·weight and n = (x - mean) r: dx = r (h - mean(h) - n mean(h n)).
const backward = defineRowKernel(
  (dtype) => `layer_norm_backward/${dtype}`,
  (wide, dtype: DType) => {
    const { element, helper } = columnLoad("weight", dtype, wide);
    return {
      reads: { x: "V", weight_data: element, g: "V" },
      writes: { dx: "V", stats: "vec2f" },
      uniforms,
      helpers: helper,
      code: `${statsWgsl}${sumOverRow({
        first: "fma(g[at], weight(k), first)",
        second: "fma(g[at] * weight(k), (x[at] - mean) * r, second)",
      })}
  if (lane == 0u) { stats[row] = vec2f(mean, r); }${eachOfRow(
    "dx[at] = r * (g[at] * weight(k) - first / P.columns - (x[at] - mean) * r * (second / P.columns));",
  )}`,
    };
  },
);

/**
 * `(x - mean(x)) / √(variance(x) + epsilon) · weight + bias` over the last dimension. `x` f32 [..., D]; `weight` and `bias` [D], both f32 or both
 * bf16; `epsilon` 1e-5 by default. Throws `shape` where they are not as long as a row.
 */
export const layerNorm = defineOp({
  name: "layerNorm",
  summary: "layer normalization of rows, weight and bias",
  call: (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number = 1e-5) => ({
    inputs: [x, weight, bias],
    params: { epsilon },
  }),
  infer: ([x, weight, bias]) => {
    expectDType("layerNorm", x!, "f32");
    expectDType("layerNorm", weight!, "f32", "bf16");
    expectDType("layerNorm", bias!, weight!.dtype);
    for (const t of [weight!, bias!])
      if (String(t.shape) !== String(x!.shape.slice(-1))) shapeError("layerNorm", `${t} does not fit rows of ${x}`);
    return [{ shape: x!.shape }];
  },
  run: (device, [x, weight, bias], [out], { epsilon }: Params) =>
    dispatchRows(device, forward(weight!.dtype), {
      reads: [x!, weight!, bias!],
      writes: [out!],
      uniforms: [epsilon],
      ...asRows(x!),
    }),
  vjp: ({ inputs: [x, weight], cotangents: [g], params: { epsilon }, needs }) => {
    const { device } = x!;
    const { rows, columns } = asRows(x!);
    const dx = device.empty(x!.shape);
    const stats = device.empty([rows, 2]);
    dispatchRows(device, backward(weight!.dtype), {
      reads: [x!, weight!, g!],
      writes: [dx, stats],
      uniforms: [epsilon],
      rows,
      columns,
    });
    return [
      dx,
      needs[1] ? normWeightGradient(g!, x!, stats) : undefined,
      needs[2] ? sum(reshape(g!, [rows, columns]), 0) : undefined,
    ];
  },
  saves: { inputs: [0, 1] },
  reference: ([x, weight, bias], { epsilon }) => {
    const columns = weight!.data.length;
    const data = new Float64Array(x!.data.length);
    for (let start = 0; start < data.length; start += columns) {
      const row = x!.data.subarray(start, start + columns);
      const mean = row.reduce((s, v) => s + v, 0) / columns;
      const variance = row.reduce((s, v) => s + (v - mean) ** 2, 0) / columns;
      const r = 1 / Math.sqrt(variance + epsilon);
      for (let k = 0; k < columns; k++) data[start + k] = (row[k]! - mean) * r * weight!.data[k]! + bias!.data[k]!;
    }
    return [{ shape: x!.shape, data }];
  },
  cases: [
    { name: "ragged", inputs: [{ shape: [5, 7] }, { shape: [7] }, { shape: [7] }], params: { epsilon: 1e-5 } },
    { name: "vec4", inputs: [{ shape: [2, 3, 12] }, { shape: [12] }, { shape: [12] }], params: { epsilon: 1e-5 } },
    {
      name: "bf16",
      inputs: [{ shape: [5, 8] }, { shape: [8], dtype: "bf16" }, { shape: [8], dtype: "bf16" }],
      params: { epsilon: 1e-5 },
    },
    { name: "no rows", inputs: [{ shape: [0, 8] }, { shape: [8] }, { shape: [8] }], params: { epsilon: 1e-5 } },
    {
      name: "blocks",
      inputs: [{ shape: [66, 1032] }, { shape: [1032] }, { shape: [1032] }],
      params: { epsilon: 1e-5 },
    },
  ],
});

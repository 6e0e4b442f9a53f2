// Root-mean-square normalization (Zhang and Sennrich 2019, arXiv 1910.07467, equation 4).
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { normWeightGradient } from "./norm-weight.ts";
import { asRows, columnLoad, defineRowKernel, dispatchRows, eachOfRow, sumOverRow } from "./row-kernel.ts";

interface Params {
  readonly epsilon: number;
}

const uniforms = { epsilon: "f32" } as const;
const scaleWgsl = "  let r = 1.0 / sqrt(squares / P.columns + P.epsilon);";

const forward = defineRowKernel(
  (dtype) => `rms_norm/${dtype}`,
  (wide, dtype: DType) => {
    const { element, helper } = columnLoad("weight", dtype, wide);
    return {
      reads: { x: "V", weight_data: element },
      writes: { out: "V" },
      uniforms,
      helpers: helper,
      code: `${sumOverRow({ squares: "fma(x[at], x[at], squares)" })}
${scaleWgsl}${eachOfRow("out[at] = x[at] * r * weight(k);")}`,
    };
  },
);

// With h = g·weight: dx = r h - x r³ mean(h x).
const backward = defineRowKernel(
  (dtype) => `rms_norm_backward/${dtype}`,
  (wide, dtype: DType) => {
    const { element, helper } = columnLoad("weight", dtype, wide);
    return {
      reads: { x: "V", weight_data: element, g: "V" },
      writes: { dx: "V", stats: "vec2f" },
      uniforms,
      helpers: helper,
      code: `${sumOverRow({ squares: "fma(x[at], x[at], squares)", product: "fma(g[at] * weight(k), x[at], product)" })}
${scaleWgsl}
  let c = product * r * r * r / P.columns;
  if (lane == 0u) { stats[row] = vec2f(0.0, r); }${eachOfRow("dx[at] = r * g[at] * weight(k) - c * x[at];")}`,
    };
  },
);

/**
 * `x / √(mean(x²) + epsilon) · weight` over the last dimension. `x` f32 [..., D], `weight` f32 or bf16 [D], `epsilon` 1e-6 by default.
 * Throws `shape` where `weight` is not as long as a row.
 */
export const rmsNorm = defineOp({
  name: "rmsNorm",
  summary: "root-mean-square normalization of rows, weighted",
  call: (x: Tensor, weight: Tensor, epsilon: number = 1e-6) => ({ inputs: [x, weight], params: { epsilon } }),
  infer: ([x, weight]) => {
    expectDType("rmsNorm", x!, "f32");
    expectDType("rmsNorm", weight!, "f32", "bf16");
    if (String(weight!.shape) !== String(x!.shape.slice(-1)))
      shapeError("rmsNorm", `${weight} does not fit rows of ${x}`);
    return [{ shape: x!.shape }];
  },
  run: (device, [x, weight], [out], { epsilon }: Params) =>
    dispatchRows(device, forward(weight!.dtype), {
      reads: [x!, weight!],
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
    return [dx, needs[1] ? normWeightGradient(g!, x!, stats) : undefined];
  },
  reference: ([x, weight], { epsilon }) => {
    const columns = weight!.data.length;
    const data = new Float64Array(x!.data.length);
    for (let start = 0; start < data.length; start += columns) {
      let squares = 0;
      for (let k = 0; k < columns; k++) squares += x!.data[start + k]! ** 2;
      const r = 1 / Math.sqrt(squares / columns + epsilon);
      for (let k = 0; k < columns; k++) data[start + k] = x!.data[start + k]! * r * weight!.data[k]!;
    }
    return [{ shape: x!.shape, data }];
  },
  cases: [
    { name: "ragged", inputs: [{ shape: [5, 7] }, { shape: [7] }], params: { epsilon: 1e-6 } },
    { name: "vec4", inputs: [{ shape: [3, 4, 8] }, { shape: [8] }], params: { epsilon: 1e-6 } },
    { name: "bf16 weight", inputs: [{ shape: [5, 8] }, { shape: [8], dtype: "bf16" }], params: { epsilon: 1e-6 } },
    {
      name: "bf16 weight, ragged",
      inputs: [{ shape: [5, 6] }, { shape: [6], dtype: "bf16" }],
      params: { epsilon: 1e-6 },
    },
    { name: "one column", inputs: [{ shape: [4, 1] }, { shape: [1] }], params: { epsilon: 0.1 } },
    { name: "no rows", inputs: [{ shape: [0, 8] }, { shape: [8] }], params: { epsilon: 1e-6 } },
    { name: "blocks", inputs: [{ shape: [70, 1284] }, { shape: [1284] }], params: { epsilon: 1e-6 } },
    { name: "large", inputs: [{ shape: [700, 516] }, { shape: [516] }], params: { epsilon: 1e-6 }, full: true },
  ],
});

// What a normalization of rows needs to be an op.

import { at } from "../checked.ts";
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { type CaseInput, defineOp, expectDType, type Op, type OpCase, shapeError } from "./define.ts";
import { normWeightGradient } from "./norm-weight.ts";
import { reshape } from "./reshape.ts";
import { asRows, columnLoad, defineRowKernel, dispatchRows } from "./row-kernel.ts";
import { sum } from "./sum.ts";

export interface RowNormSpec<A extends readonly unknown[]> {
  readonly name: string;
  readonly summary: string;
  /** Label of its kernels. */
  readonly kernel: string;
  readonly call: (...args: A) => { inputs: readonly [x: Tensor, weight: Tensor, bias?: Tensor]; params: NormParams };
  readonly hasBias: boolean;
  /** WGSL of `out` from `x`, `weight(k)` and, where it has one, `bias(k)`; `P.epsilon` and the row kernel's names are at hand. */
  readonly forward: string;
  /** WGSL that calls `put(at, dx)`, and of `stats[row]` = (what is subtracted from a row, what it is then multiplied by), from `x`, `weight(k)` and `g`. */
  readonly backward: string;
  /** The row normalized, without weight and bias, in f64. */
  readonly normalized: (row: Float64Array, epsilon: number) => Float64Array;
  /** Shapes of the standard cases beside those of every norm. */
  readonly cases: readonly NormCase[];
  readonly epsilon: number;
}

interface NormParams {
  readonly epsilon: number;
}

export interface NormCase {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: DType;
  readonly epsilon?: number;
  readonly full?: boolean;
}

/** An op over rows of f32 [..., D] with a weight, and maybe a bias, [D], f32 or bf16. */
export function defineRowNorm<A extends unknown[]>(spec: RowNormSpec<A>): ((...args: A) => Tensor) & Op {
  const { name, hasBias } = spec;
  const uniforms = { epsilon: "f32" } as const;
  const forward = defineRowKernel(
    (dtype) => `${spec.kernel}/${dtype}`,
    (wide, dtype: DType) => {
      const weight = columnLoad("weight", dtype, wide);
      const bias = columnLoad("bias", dtype, wide);
      return {
        reads: { x: "V", weight_data: weight.element, ...(hasBias ? { bias_data: bias.element } : {}) },
        writes: { out: "V" },
        uniforms,
        helpers: hasBias ? `${weight.helper}\n${bias.helper}` : weight.helper,
        code: spec.forward,
      };
    },
  );
  const backward = defineRowKernel(
    (dtype) => `${spec.kernel}_backward/${dtype}`,
    (wide, dtype: DType) => {
      const { element, helper } = columnLoad("weight", dtype, wide);
      return {
        reads: { x: "V", weight_data: element, g: "V", sum: "V" },
        writes: { dx: "V", stats: "vec2f" },
        uniforms: { ...uniforms, adds: "u32" },
        helpers: `${helper}
fn put(at: u32, own: V) { dx[at] = select(own, sum[at] + own, P.adds != 0u); }`,
        code: spec.backward,
      };
    },
  );
  return defineOp({
    name,
    summary: spec.summary,
    call: spec.call,
    infer: ([x, weight, bias]) => {
      expectDType(name, x, "f32");
      expectDType(name, weight, "f32", "bf16");
      if (bias) expectDType(name, bias, weight.dtype);
      for (const t of bias ? [weight, bias] : [weight])
        if (String(t.shape) !== String(x.shape.slice(-1))) shapeError(name, `${t} does not fit rows of ${x}`);
      return [{ shape: x.shape }];
    },
    run: (device, [x, weight, bias], [out], { epsilon }) =>
      dispatchRows(device, forward(weight.dtype), {
        reads: bias ? [x, weight, bias] : [x, weight],
        writes: [out],
        uniforms: [epsilon],
        ...asRows(x),
      }),
    vjp: ({ inputs: [x, weight], cotangents: [g], params: { epsilon }, needs, into, takeSum }) => {
      const { device } = x;
      const { rows, columns } = asRows(x);
      const dx = device.empty(x.shape);
      const stats = device.empty([rows, 2]);
      const sumSoFar = takeSum(0);
      dispatchRows(device, backward(weight.dtype), {
        reads: [x, weight, g, sumSoFar ?? g],
        writes: [dx, stats],
        uniforms: [epsilon, sumSoFar ? 1 : 0],
        rows,
        columns,
      });
      const weightGradient = needs[1] ? normWeightGradient(g, x, stats, into[1]) : undefined;
      return [dx, weightGradient, needs[2] ? sum(reshape(g, [rows, columns]), 0) : undefined];
    },
    saves: { inputs: [0, 1] },
    reference: ([x, weight, bias], { epsilon }) => {
      const columns = weight.data.length;
      const data = new Float64Array(x.data.length);
      for (let start = 0; start < data.length; start += columns) {
        const row = spec.normalized(x.data.subarray(start, start + columns), epsilon);
        data.set(
          row.map((v, k) => v * at(weight.data, k) + (bias ? at(bias.data, k) : 0)),
          start,
        );
      }
      return [{ shape: x.shape, data }];
    },
    cases: [...commonCases, ...spec.cases].map((c) => caseOf(c, hasBias, spec.epsilon)),
  });
}

const commonCases: readonly NormCase[] = [
  { name: "ragged", shape: [5, 7] },
  { name: "vec4", shape: [3, 4, 8] },
  { name: "bf16", shape: [5, 8], dtype: "bf16" },
  { name: "bf16, ragged", shape: [5, 6], dtype: "bf16" },
  { name: "one column", shape: [4, 1], epsilon: 0.1 },
  { name: "no rows", shape: [0, 8] },
  { name: "blocks", shape: [70, 1284] },
];

function caseOf(norm: NormCase, hasBias: boolean, defaultEpsilon: number): OpCase<NormParams> {
  const { name, shape, dtype = "f32", epsilon = defaultEpsilon, full = false } = norm;
  const column: CaseInput = { shape: shape.slice(-1), dtype };
  return { name, inputs: [{ shape }, column, ...(hasBias ? [column] : [])], params: { epsilon }, full };
}

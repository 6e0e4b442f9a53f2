// A linear layer: torch's weight layout, f32 or bf16, whole or in row shards.
import { at, element, matrixShape, rowsOf } from "../../checked.ts";
import type { Tensor } from "../../tensor.ts";
import { defineColumnSums, dispatchColumnSums } from "../column-sums.ts";
import { defineOp, expectDType, type OpCase, shapeError } from "../define.ts";
import { emptyLike } from "../fill.ts";
import { K_BLOCK } from "./canonical.ts";
import { matmulInto, sumsColumns } from "./dispatch.ts";

/**
 * `x weight^T + bias`: x f32 [rows, in], weight f32 or bf16 [out, in] (row-sharded or not), bias f32 [out]; gives f32 [rows, out].
 * The weight's gradient is f32, sharded as the weight is. Bits do not depend on the sharding: a shard starts at a block of the
 * canonical order. Throws `shape` or `dtype`.
 */
export const linear = defineOp({
  name: "linear",
  summary: "x weight^T + bias; weight f32 or bf16, may be row-sharded",
  call: (x: Tensor, weight: Tensor, bias?: Tensor): { inputs: readonly [Tensor, Tensor, Tensor?]; params: object } => ({
    inputs: bias ? [x, weight, bias] : [x, weight],
    params: {},
  }),
  infer: ([x, weight, bias]) => {
    expectDType("linear", x, "f32");
    expectDType("linear", weight, "f32", "bf16");
    const [rows, width, ...more] = x.shape;
    const [out, inner, ...others] = weight.shape;
    if (rows === undefined || out === undefined || inner !== width || more.length + others.length > 0)
      shapeError("linear", `${x} does not fit the weight ${weight}: [rows, in] and [out, in] are wanted`);
    if (bias) {
      expectDType("linear", bias, "f32");
      if (String(bias.shape) !== String([out])) shapeError("linear", `${bias} is no bias of ${weight}`);
    }
    return [{ shape: [rows, out] }];
  },
  run: (device, [x, weight, bias], [out]) => {
    const [rows, width] = matrixShape(x);
    const stride = rowsOf(weight);
    for (const { start, tensor: part } of weight.parts()) {
      const n = rowsOf(part);
      const problem = { layout: "nt", a: x, b: part, out: out, m: rows, n, k: width } as const;
      const offset = start === 0 && n === stride ? {} : { outColumns: { column: start, stride } };
      matmulInto(device, { ...problem, ...offset, ...(bias ? { bias, biasStart: start } : {}) });
    }
  },
  vjp: ({ inputs: [x, weight, bias], cotangents: [g], needs, into }) => {
    const dx = needs[0] ? inputGradient(x, weight, g) : undefined;
    if (!needs[1]) return [dx, undefined, bias && needs[2] ? columnSums(g, into[2]) : undefined];
    const gradient = into[1] ?? emptyLike(weight);
    const biasGradient = bias && needs[2] ? (into[2] ?? x.device.empty(bias.shape)) : undefined;
    parameterGradients(x, g, gradient, biasGradient);
    return [dx, gradient, biasGradient];
  },
  saves: { inputs: [0, 1] },
  reference: ([x, weight, bias]) => {
    const [rows, width] = matrixShape(x);
    const out = rowsOf(weight);
    const data = new Float64Array(rows * out);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < out; j++) {
        let sum = bias ? at(bias.data, j) : 0;
        for (let q = 0; q < width; q++) sum += element(x.data, i * width + q) * element(weight.data, j * width + q);
        data[i * out + j] = sum;
      }
    return [{ shape: [rows, out], data }];
  },
  cases: [
    linearCase(1, 1, 2),
    linearCase(3, 7, 10),
    linearCase(3, 7, 10, "bf16"),
    linearCase(0, 5, 4),
    linearCase(4, 12, 300, "bf16"),
    linearCase(37, 50, 66),
    linearCase(300, 20, 36),
    linearCase(70, 132, 260),
    linearCase(70, 132, 260, "bf16"),
    linearCase(130, 300, 520, "bf16", true),
  ],
});

function inputGradient(x: Tensor, weight: Tensor, g: Tensor): Tensor {
  const { device, shape } = x;
  const [m, n] = matrixShape(x);
  const out = device.empty(shape);
  for (const { start, tensor: part } of weight.parts()) {
    const problem = { layout: "nn", a: g, b: part, out, m, n, k: rowsOf(part) } as const;
    matmulInto(device, { ...problem, aColumns: { column: start, stride: rowsOf(weight) }, accumulate: start > 0 });
  }
  return out;
}

/** Fills the gradients of a weight, which may be in shards, and of a bias, from the cotangent `g` of their outputs. */
export function parameterGradients(x: Tensor, g: Tensor, gradient: Tensor, ofBias: Tensor | undefined): void {
  const { device } = x;
  const [k, n] = matrixShape(x);
  const stride = rowsOf(gradient);
  const aSums = !gradient.shards && sumsColumns(device, { m: stride, n, k, b: x }) ? ofBias : undefined;
  for (const { start, tensor: out } of gradient.parts()) {
    const problem = { layout: "tn", a: g, b: x, out, m: rowsOf(out), n, k, aSums } as const;
    matmulInto(device, { ...problem, aColumns: { column: start, stride } });
  }
  if (ofBias && !aSums) columnSums(g, ofBias);
}

const columnSumsKernel = defineColumnSums({
  name: "column_sums",
  matrices: ["g"],
  step: "acc = acc + g[at];",
  block: K_BLOCK,
  flat: true,
});

/** Sums over rows, in the canonical order: what a product with ones would give. */
export function columnSums(g: Tensor, into: Tensor | undefined): Tensor {
  const { device } = g;
  const [rows, columns] = matrixShape(g);
  const out = into ?? device.empty([columns]);
  dispatchColumnSums(device, columnSumsKernel, [g], out, [rows, columns]);
  return out;
}

function linearCase(
  rows: number,
  out: number,
  width: number,
  dtype: "f32" | "bf16" = "f32",
  full = false,
): OpCase<object> {
  return {
    name: `${dtype} ${rows} x ${width} -> ${out}`,
    inputs: [{ shape: [rows, width] }, { shape: [out, width], dtype }, { shape: [out] }],
    params: {},
    full,
  };
}

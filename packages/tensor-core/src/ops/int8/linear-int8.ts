// A linear layer whose frozen weight is held in eight bits.
import { element, matrixShape, rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import type { Tensor } from "../../tensor.ts";
import { defineOp, expectDType, type OpCase, type ReferenceArray, shapeError } from "../define.ts";
import { type MatmulCall, matmulInto, readsInt8 } from "../matmul/dispatch.ts";
import { type Int8Matrix, int8Group, int8Sizes } from "./int8.ts";
import { widenInt8 } from "./widen.ts";

/** Bytes of widened rows at a time; what a CPU holds in its cache, on a software adapter. */
const STRIP_BYTES = { software: 4 << 20, card: 64 << 20 } as const;
/** Strips begin at blocks of the canonical order, so they change no bit. */
const ROW_STEP = 256;

/**
 * `x w^T + bias`: x f32 [rows, in], w in eight bits ({@link Int8Matrix}), bias f32 [out]; gives f32 [rows, out], to the bits of `linear` on the
 * widened matrix. Only x has a gradient. Throws `shape` or `dtype`.
 */
export const linearInt8 = defineOp({
  name: "linearInt8",
  summary: "x weight^T + bias; frozen weight in eight bits with a scale for each group of a row",
  call: (
    x: Tensor,
    { values, scales }: Int8Matrix,
    bias?: Tensor,
  ): { inputs: readonly [Tensor, Tensor, Tensor, Tensor?]; params: object } => ({
    inputs: bias ? [x, values, scales, bias] : [x, values, scales],
    params: {},
  }),
  infer: ([x, values, scales, bias]) => {
    expectDType("linearInt8", x, "f32");
    expectDType("linearInt8", values, "u32");
    expectDType("linearInt8", scales, "f32");
    const { out, width } = int8Sizes({ values, scales });
    const [rows, inner, ...more] = x.shape;
    if (rows === undefined || inner !== width || more.length > 0)
      shapeError("linearInt8", `${x} does not fit a weight [${out}, ${width}]`);
    if (bias) {
      expectDType("linearInt8", bias, "f32");
      if (String(bias.shape) !== String([out]))
        shapeError("linearInt8", `${bias} is no bias of a weight [${out}, ${width}]`);
    }
    return [{ shape: [rows, out] }];
  },
  run: (device, [x, values, scales, bias], [out]) => forward(device, x, { values, scales }, bias, out),
  vjp: ({ inputs: [x, values, scales], cotangents: [g], needs }) => [
    needs[0] ? inputGradient(x, { values, scales }, g) : undefined,
    undefined,
    undefined,
    undefined,
  ],
  saves: { inputs: [1, 2] },
  reference: ([x, values, scales, bias]) => [reference(x, values, scales, bias)],
  cases: [int8Case(1, 8, 64), int8Case(3, 7, 96), int8Case(5, 20, 48), int8Case(37, 300, 320), int8Case(0, 4, 64)],
});

function forward(device: Device, x: Tensor, matrix: Int8Matrix, bias: Tensor | undefined, out: Tensor): void {
  const { out: stride, width: k } = int8Sizes(matrix);
  const [m] = matrixShape(x);
  const whole: MatmulCall = { layout: "nt", a: x, ...operandOf(matrix), out, m, n: stride, k, ...(bias && { bias }) };
  if (readsInt8(device, whole)) {
    matmulInto(device, whole);
    return;
  }
  forEachStrip(device, matrix, (b, start, n) => {
    const offset = n === stride ? {} : { outColumns: { column: start, stride } };
    const call: MatmulCall = { layout: "nt", a: x, b, out, m, n, k };
    matmulInto(device, { ...call, ...offset, ...(bias ? { bias, biasStart: start } : {}) });
  });
}

function inputGradient(x: Tensor, matrix: Int8Matrix, g: Tensor): Tensor {
  const { device, shape } = x;
  const [m, n] = matrixShape(x);
  const { out: stride } = int8Sizes(matrix);
  const out = device.empty(shape);
  const whole: MatmulCall = { layout: "nn", a: g, ...operandOf(matrix), out, m, n, k: stride };
  if (readsInt8(device, whole)) {
    matmulInto(device, whole);
    return out;
  }
  forEachStrip(device, matrix, (b, start, k) => {
    const aColumns = { column: start, stride };
    matmulInto(device, { layout: "nn", a: g, b, out, m, n, k, aColumns, accumulate: start > 0 });
  });
  return out;
}

const operandOf = ({ values, scales }: Int8Matrix): Pick<MatmulCall, "b" | "scales"> => ({ b: values, scales });

/** Calls `visit` with widened rows, their first and their number, ascending. */
function forEachStrip(
  device: Device,
  matrix: Int8Matrix,
  visit: (rows: Tensor, start: number, count: number) => void,
): void {
  const { out, width } = int8Sizes(matrix);
  const bytes = STRIP_BYTES[device.facts.software ? "software" : "card"];
  const step = Math.max(1, Math.floor(bytes / (4 * width * ROW_STEP))) * ROW_STEP;
  for (let start = 0; start < out; start += step) {
    const count = Math.min(step, out - start);
    const rows = widenInt8(matrix, start, count);
    visit(rows, start, count);
    rows.dispose();
  }
}

/** The byte of element `at`, with its sign. */
function wholeOf(values: Float64Array, at: number): number {
  return (Math.floor(element(values, Math.floor(at / 4)) / 2 ** (8 * (at % 4))) << 24) >> 24;
}

function reference(
  x: ReferenceArray,
  values: ReferenceArray,
  scales: ReferenceArray,
  bias: ReferenceArray | undefined,
): ReferenceArray {
  const [rows, width] = matrixShape(x);
  const out = rowsOf(values);
  const group = (out * width) / scales.data.length;
  const data = new Float64Array(rows * out);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < out; j++) {
      let sum = bias ? element(bias.data, j) : 0;
      for (let k = 0; k < width; k++) {
        const at = j * width + k;
        sum += element(x.data, i * width + k) * wholeOf(values.data, at) * element(scales.data, Math.floor(at / group));
      }
      data[i * out + j] = sum;
    }
  return { shape: [rows, out], data };
}

function int8Case(rows: number, out: number, width: number): OpCase<object> {
  const group = int8Group(width) ?? width;
  return {
    name: `${rows} x ${width} -> ${out}, a scale for ${group}`,
    inputs: [
      { shape: [rows, width] },
      { shape: [out, width / 4], dtype: "u32", below: 2 ** 32 },
      { shape: [out, width / group], values: "positive", constant: true },
      { shape: [out], constant: true },
    ],
    params: {},
  };
}

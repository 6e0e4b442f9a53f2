// Conversion between element types.
import { at } from "../checked.ts";
import { type DType, fromBf16, toBf16 } from "../dtype.ts";
import { TensorError } from "../error.ts";
import type { Kernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { aligned } from "./aligned.ts";
import { defineOp } from "./define.ts";
import { defineFlatKernel, dispatchFlat, type WideElement } from "./elementwise.ts";
import { nonFiniteVec4Wgsl } from "./non-finite-wgsl.ts";

interface Params {
  readonly dtype: DType;
}

/**
 * `x` as another element type. f32 to bf16 rounds to nearest even and keeps NaN; bf16 to f32 is exact; f32 to an integer type drops the
 * fraction and saturates, NaN becomes 0; i32 and u32 keep their bits. Throws `dtype` for bf16 with an integer type. Not differentiable.
 */
export const cast = defineOp({
  name: "cast",
  summary: "another element type",
  nonFinite: "as an integer NaN is 0 and infinity the last number",
  call: (x: Tensor, dtype: DType) => ({ inputs: [x], params: { dtype } }),
  infer: ([x], { dtype }: Params) => {
    kernelOf(x.dtype, dtype);
    return [{ shape: x.shape, dtype }];
  },
  run: (_device, [x], [out]) => castInto(out, x),
  reference: ([x], { dtype }) => [{ shape: x.shape, data: convert(x.data, dtype) }],
  cases: [
    { name: "f32 to bf16", inputs: [{ shape: [7, 6] }], params: { dtype: "bf16" }, tolerance: 0 },
    {
      name: "f32 to bf16, ties and edges",
      inputs: [
        {
          shape: [12],
          values: [0, -0, 1, 1.00390625, 1.01171875, -1.00390625, 1.5e-40, 3.3895314e38, 3.4e38, 0.1, 65504, -7],
        },
      ],
      params: { dtype: "bf16" },
      tolerance: 0,
    },
    { name: "bf16 to f32", inputs: [{ shape: [5, 6], dtype: "bf16" }], params: { dtype: "f32" }, tolerance: 0 },
    {
      name: "f32 to i32",
      inputs: [{ shape: [6], values: [-2.9, -0.5, 0, 0.99, 7.5, 123456] }],
      params: { dtype: "i32" },
      tolerance: 0,
    },
    {
      name: "f32 to u32",
      inputs: [{ shape: [5], values: [-3, 0, 0.99, 7.5, 123456] }],
      params: { dtype: "u32" },
      tolerance: 0,
    },
    {
      name: "u32 to f32",
      inputs: [{ shape: [5, 7], dtype: "u32", below: 1000 }],
      params: { dtype: "f32" },
      tolerance: 0,
    },
    {
      name: "i32 to f32",
      inputs: [{ shape: [4], dtype: "i32", values: [-5, 0, 1, -70000] }],
      params: { dtype: "f32" },
      tolerance: 0,
    },
    {
      name: "i32 to u32",
      inputs: [{ shape: [3], dtype: "i32", values: [5, 0, 9] }],
      params: { dtype: "u32" },
      tolerance: 0,
    },
    { name: "empty", inputs: [{ shape: [0, 2] }], params: { dtype: "bf16" } },
  ],
});

/** Converts `source` into `target` in place, as `cast` does; sharded alike or not at all. This refreshes a bf16 run copy of f32 weights. */
export function castInto(target: Tensor, source: Tensor): void {
  const parts = source.parts();
  const sharedShape = target.parts().every(({ tensor }, k) => String(tensor.shape) === String(parts[k]?.tensor.shape));
  if (!sharedShape || parts.length !== target.parts().length) {
    throw new TensorError("shape", `castInto: ${source} does not fit ${target}`);
  }
  const kernel = kernelOf(source.dtype, target.dtype);
  target.parts().forEach(({ tensor }, k) => {
    const temporary: Tensor[] = [];
    dispatchFlat(kernel, [aligned(at(parts, k).tensor, temporary)], tensor);
    for (const copy of temporary) copy.dispose();
  });
}

const WIDE: Readonly<Record<DType, WideElement>> = { f32: "vec4f", bf16: "vec2u", i32: "vec4i", u32: "vec4u" };

/** Four f32 patterns to four bf16 patterns in two words. Carrying out of the mantissa into the exponent is what rounding up should do. */
export const bf16Wgsl: string = /* wgsl */ `
fn round_bf16(bits: vec4u) -> vec2u {
  let nearest = (bits + 0x7fffu + ((bits >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
  let quiet = (bits >> vec4u(16u)) | vec4u(0x40u);
  let h = select(nearest, quiet, (bits & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
  return h.xz | (h.yw << vec2u(16u));
}
fn widen_bf16(words: vec2u) -> vec4f {
  return bitcast<vec4f>(vec4u(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}`;

function kernelOf(from: DType, to: DType): Kernel {
  if (from !== to && (from === "bf16" || to === "bf16") && from !== "f32" && to !== "f32") {
    throw new TensorError("dtype", `cast: ${from} to ${to} needs two casts, over f32`);
  }
  return castKernel(from, to);
}

const castKernel = defineFlatKernel((from: DType, to: DType) => {
  const bits = from === to;
  const reads = from === "bf16" ? "vec2u" : bits || to === "bf16" ? "vec4u" : WIDE[from];
  const expression = bits
    ? "x"
    : to === "bf16"
      ? "round_bf16(x)"
      : from === "bf16"
        ? "widen_bf16(x)"
        : from === "f32"
          ? `select(${WIDE[to]}(x), ${WIDE[to]}(), is_nan(x))`
          : `${WIDE[to]}(x)`;
  return {
    name: `cast_${from}_${to}`,
    reads: { x: reads },
    out: bits && from !== "bf16" ? "vec4u" : WIDE[to],
    expression,
    helpers: `${bf16Wgsl}${nonFiniteVec4Wgsl}`,
  };
});

/** f32 saturates at its last numbers within an integer type. */
function convert(data: Float64Array, dtype: DType): Float64Array {
  if (dtype === "bf16") return Float64Array.from(fromBf16(toBf16(data)));
  if (dtype === "i32") return data.map((x) => Math.min(Math.max(Math.trunc(x), -(2 ** 31)), 2 ** 31 - 128) || 0);
  if (dtype === "u32") return data.map((x) => Math.min(Math.max(Math.trunc(x), 0), 2 ** 32 - 256) || 0);
  return data.map(Math.fround);
}

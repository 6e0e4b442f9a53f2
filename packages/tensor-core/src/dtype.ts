// Element types, their sizes, and the conversions between bf16 and f32.
import { at } from "./checked.ts";
import { TensorError } from "./error.ts";

/** bf16 is stored as two values to a 32-bit word, the even column in the low half. */
export type DType = "f32" | "bf16" | "i32" | "u32";

/** What a tensor of each type looks like in JavaScript; bf16 as its raw 16-bit patterns. */
export interface HostArray {
  f32: Float32Array;
  bf16: Uint16Array;
  i32: Int32Array;
  u32: Uint32Array;
}

export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, bf16: 2, i32: 4, u32: 4 };

/** A zeroed host array of `size` elements. */
export function hostArray<D extends DType>(dtype: D, size: number, buffer?: ArrayBuffer): HostArray[D];
export function hostArray(dtype: DType, size: number, buffer?: ArrayBuffer): HostArray[DType] {
  const source = buffer ?? new ArrayBuffer(size * bytesPerElement[dtype]);
  switch (dtype) {
    case "f32":
      return new Float32Array(source, 0, size);
    case "bf16":
      return new Uint16Array(source, 0, size);
    case "i32":
      return new Int32Array(source, 0, size);
    case "u32":
      return new Uint32Array(source, 0, size);
  }
}

/** Rounds to bf16, nearest even; NaN stays NaN. Returns the 16-bit patterns. */
export function toBf16(values: ArrayLike<number>): Uint16Array {
  const word = new Float32Array(1);
  const bits = new Uint32Array(word.buffer);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    word[0] = at(values, i);
    const b = at(bits, 0);
    out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** Widens 16-bit bf16 patterns to f32; exact. */
export function fromBf16(patterns: Uint16Array): Float32Array {
  const bits = Uint32Array.from(patterns, (pattern) => pattern << 16);
  return new Float32Array(bits.buffer);
}

/** Number of elements of a shape. Throws `shape` for a negative, fractional or unsafe dimension. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dimension of shape) {
    if (!Number.isInteger(dimension) || dimension < 0) {
      throw new TensorError("shape", `a dimension must be a whole number of at least 0: [${shape.join(", ")}]`);
    }
    size *= dimension;
  }
  if (!Number.isSafeInteger(size)) throw new TensorError("shape", `shape [${shape.join(", ")}] is too large`);
  return size;
}

/** Bytes a contiguous tensor takes. Throws `shape` for a bf16 tensor whose rows are odd, even where it has none. */
export function byteLengthOf(shape: readonly number[], dtype: DType): number {
  const size = sizeOf(shape);
  if (dtype === "bf16" && (shape.at(-1) ?? 1) % 2 !== 0) {
    throw new TensorError(
      "shape",
      `bf16 needs an even last dimension, as two values share a word: [${shape.join(", ")}]`,
    );
  }
  return size * bytesPerElement[dtype];
}

// Matrices in eight bits: w = q * scale, q whole in [-127, 127], one scale for each group of a row's neighbors. A scale is a bf16 value, so that the
// product has at most 15 bits: it is exact in f32, and every kernel gives the bits that it gives on the widened matrix.
import { matrixShape } from "../../checked.ts";
import { fromBf16, toBf16 } from "../../dtype.ts";
import type { Tensor } from "../../tensor.ts";
import { shapeError } from "../define.ts";

const GROUPS = [64, 32, 16] as const;
const LARGEST = 127;

/** Elements of a row that share a scale: the largest of 64, 32 and 16 that divides the row; undefined where none does. */
export function int8Group(width: number): number | undefined {
  return GROUPS.find((group) => width > 0 && width % group === 0);
}

/** A matrix in eight bits. */
export interface Int8Matrix {
  /** u32 [out, in / 4]: four q to a word, the first in the lowest bits. */
  readonly values: Tensor;
  /** f32 [out, in / group]. */
  readonly scales: Tensor;
}

/** Sizes of a matrix whose parts fit each other. Throws `shape`. */
export function int8Sizes({ values, scales }: Int8Matrix): { out: number; width: number; group: number } {
  const [out, words] = matrixShape(values);
  const [rows, groups] = matrixShape(scales);
  const [width, group] = [4 * words, (4 * words) / groups];
  if (rows !== out || !GROUPS.some((known) => known === group))
    shapeError("int8", `the scales ${scales} do not fit the values ${values}`);
  return { out, width, group };
}

/** Rounding to the nearest whole number, ties to even: adding what leaves no bits for a fraction. */
const ROUNDER = 1.5 * 2 ** 52;

/**
 * Values of whole groups in eight bits, on the host: the same bits on every machine. The scale is the group's largest magnitude over 127, as bf16.
 * A value that is not finite leaves NaN in its group's scale.
 */
export function toInt8(
  values: Float32Array,
  group: number,
): { readonly values: Uint32Array; readonly scales: Float32Array } {
  const q = new Int8Array(values.length);
  const largest = new Float32Array(values.length / group);
  for (let g = 0; g < largest.length; g++) {
    let most = 0;
    for (let i = g * group; i < (g + 1) * group; i++) most = Math.max(most, Math.abs(values[i] ?? 0)); // NaN stays
    largest[g] = Number.isFinite(most) ? most / LARGEST : Number.NaN;
  }
  const scales = fromBf16(toBf16(largest));
  for (let i = 0; i < values.length; i++) {
    const scale = scales[Math.floor(i / group)] ?? 0;
    const rounded = scale === 0 ? 0 : (values[i] ?? 0) / scale + ROUNDER - ROUNDER;
    q[i] = Math.min(LARGEST, Math.max(-LARGEST, rounded));
  }
  return { values: new Uint32Array(q.buffer), scales };
}

// The parts of a shape around one axis, and what ops over one axis share.
import type { Tensor } from "../tensor.ts";
import { type OpCase, type ReferenceArray, shapeError } from "./define.ts";

/** A shape as [outer, length, inner] around an axis. */
export interface AxisView {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** Parameter of a reduction: an axis from 0, or undefined for all elements. */
export interface AxisParams {
  readonly axis: number | undefined;
}

/** A non-negative axis; negative ones count from the end. Throws `shape` in the name of `op`. */
export function resolveAxis(op: string, shape: readonly number[], axis: number): number {
  const resolved = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= shape.length) {
    shapeError(op, `[${shape.join(", ")}] has no axis ${axis}`);
  }
  return resolved;
}

/** Splits a shape around `axis`; undefined takes all elements as one axis. */
export function aroundAxis(shape: readonly number[], axis: number | undefined): AxisView {
  const product = (lengths: readonly number[]) => lengths.reduce((p, n) => p * n, 1);
  if (axis === undefined) return { outer: 1, length: product(shape), inner: 1 };
  return { outer: product(shape.slice(0, axis)), length: shape[axis]!, inner: product(shape.slice(axis + 1)) };
}

/** `shape` without `axis` (without all axes where it is undefined). */
export function withoutAxis(shape: readonly number[], axis: number | undefined): number[] {
  return axis === undefined ? [] : shape.filter((_, k) => k !== axis);
}

/** `shape` with length 1 at `axis` (at all axes where it is undefined): what broadcasts back to it. */
export function keptAxis(shape: readonly number[], axis: number | undefined): number[] {
  return shape.map((length, k) => (axis === undefined || k === axis ? 1 : length));
}

/** Arguments of a reduction op. */
export function reductionCall(op: string, x: Tensor, axis?: number): { inputs: Tensor[]; params: AxisParams } {
  return { inputs: [x], params: { axis: axis === undefined ? undefined : resolveAxis(op, x.shape, axis) } };
}

/** The f64 reference of a reduction: `fold` gets the elements of one group. */
export function referenceReduce(
  x: ReferenceArray,
  axis: number | undefined,
  fold: (values: Float64Array) => number,
): ReferenceArray {
  const { outer, length, inner } = aroundAxis(x.shape, axis);
  const data = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const group = Float64Array.from({ length }, (_, k) => x.data[(o * length + k) * inner + i]!);
      data[o * inner + i] = fold(group);
    }
  }
  return { shape: withoutAxis(x.shape, axis), data };
}

/** The shapes a reduction is tried on: each kernel layout, one and several blocks and passes. */
export const reductionCases: readonly OpCase<AxisParams>[] = [
  { name: "all, ragged", inputs: [{ shape: [3, 7] }], params: { axis: undefined } },
  { name: "one element", inputs: [{ shape: [1] }], params: { axis: 0 } },
  { name: "last axis, vec4", inputs: [{ shape: [5, 8] }], params: { axis: 1 } },
  { name: "last axis, blocks", inputs: [{ shape: [3, 1030] }], params: { axis: 1 } },
  { name: "first axis, vec4", inputs: [{ shape: [300, 12] }], params: { axis: 0 } },
  { name: "first axis, ragged", inputs: [{ shape: [7, 5] }], params: { axis: 0 } },
  { name: "middle axis", inputs: [{ shape: [2, 3, 4] }], params: { axis: 1 } },
  { name: "two passes", inputs: [{ shape: [131, 127] }], params: { axis: undefined } },
  { name: "two passes over columns", inputs: [{ shape: [5000, 4] }], params: { axis: 0 }, full: true },
  { name: "no rows left", inputs: [{ shape: [4, 0] }], params: { axis: 0 } },
];

// The parts of a shape around one axis, and what ops over one axis share.
import { at } from "../checked.ts";
import { shapeError } from "./define.ts";

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
  return { outer: product(shape.slice(0, axis)), length: at(shape, axis), inner: product(shape.slice(axis + 1)) };
}

/** `shape` without `axis` (without all axes where it is undefined). */
export function withoutAxis(shape: readonly number[], axis: number | undefined): number[] {
  return axis === undefined ? [] : shape.filter((_, k) => k !== axis);
}

/** `shape` with length 1 at `axis` (at all axes where it is undefined): what broadcasts back to it. */
export function keptAxis(shape: readonly number[], axis: number | undefined): number[] {
  return shape.map((length, k) => (axis === undefined || k === axis ? 1 : length));
}

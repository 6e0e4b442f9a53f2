// The transpose of broadcasting.
import type { Tensor } from "../tensor.ts";
import { reshape } from "./reshape.ts";
import { sum } from "./sum.ts";

/** Sums `x` over the dimensions along which `shape` broadcasts to it; the result has `shape`. f32. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (String(x.shape) === String(shape)) return x;
  const padded = [...Array(x.shape.length - shape.length).fill(1), ...shape];
  let result = x;
  for (let axis = 0; axis < padded.length; axis++) {
    if (padded[axis] !== 1 || x.shape[axis] === 1) continue;
    let end = axis + 1; // neighboring dimensions are summed at once
    while (end < padded.length && padded[end] === 1) end++;
    const lengths = result.shape;
    const group = lengths.slice(axis, end).reduce((product, length) => product * length, 1);
    const flat = reshape(result, [...lengths.slice(0, axis), group, ...lengths.slice(end)]);
    result = reshape(sum(flat, axis), [...lengths.slice(0, axis), ...padded.slice(axis, end), ...lengths.slice(end)]);
    axis = end - 1;
  }
  return reshape(result, shape);
}

// Contiguous row ranges of a matrix that may be sharded: a view where one buffer holds the rows, else a copy.

import { matrixShape, rowsOf } from "../../checked.ts";
import { type Tensor, viewOf } from "../../tensor.ts";

/** Rows `start` to `start + count` of a matrix, for reading, as a tensor of their own. */
export function readRows(matrix: Tensor, start: number, count: number): Tensor {
  const [only, ...more] = overlaps(matrix, start, count);
  const [, width] = matrixShape(matrix);
  if (only && more.length === 0) return viewOf(only.part, [count, width], only.from * rowBytes(matrix));
  const copy = matrix.device.empty([count, width], matrix.dtype);
  copyRows(matrix, start, copy, "read");
  return copy;
}

/** Calls `fill` with a tensor of rows `start` to `start + count`, whose contents then are the matrix's. */
export function writeRows(matrix: Tensor, start: number, count: number, fill: (rows: Tensor) => void): void {
  const [only, ...more] = overlaps(matrix, start, count);
  const [, width] = matrixShape(matrix);
  const { device } = matrix;
  if (only && more.length === 0 && (only.from * rowBytes(matrix)) % device.facts.offsetAlignment === 0) {
    const view = viewOf(only.part, [count, width], only.from * rowBytes(matrix));
    fill(view);
    view.dispose();
    return;
  }
  const copy = device.empty([count, width], matrix.dtype);
  fill(copy);
  copyRows(matrix, start, copy, "write");
  copy.dispose();
}

interface Overlap {
  readonly part: Tensor;
  /** First row within the part, and within the range. */
  readonly from: number;
  readonly at: number;
  readonly rows: number;
}

function overlaps(matrix: Tensor, start: number, count: number): Overlap[] {
  return matrix.parts().flatMap(({ start: partStart, tensor }) => {
    const first = Math.max(start, partStart);
    const end = Math.min(start + count, partStart + rowsOf(tensor));
    return first < end ? [{ part: tensor, from: first - partStart, at: first - start, rows: end - first }] : [];
  });
}

function copyRows(matrix: Tensor, start: number, rows: Tensor, direction: "read" | "write"): void {
  const bytes = rowBytes(matrix);
  for (const { part, from, at, rows: n } of overlaps(matrix, start, rowsOf(rows))) {
    if (direction === "read") matrix.device.copyBytes(part, from * bytes, rows, at * bytes, n * bytes);
    else matrix.device.copyBytes(rows, at * bytes, part, from * bytes, n * bytes);
  }
}

function rowBytes(matrix: Tensor): number {
  return matrix.bytes / rowsOf(matrix);
}

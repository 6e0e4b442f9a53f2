// The sweep over slices of the vocabulary: logits of some rows and ids at a time, in a scratch of at most 8 MiB.

import { matrixShape, rowsOf } from "../../checked.ts";
import { type Tensor, viewOf } from "../../tensor.ts";
import { matmulInto } from "../matmul/dispatch.ts";
import type { LogitSlice } from "./block-states.ts";
import { readRows } from "./row-slice.ts";
import { VOCABULARY_BLOCK } from "./softmax-state.ts";

// Both are multiples of 256, so slices and chunks begin where blocks of the canonical orders do (ids here, sums over ids and rows in the
// matrix products): results do not depend on them.
const SLICE_COLUMNS = 2048;
const CHUNK_ROWS = 1024;

export interface RowChunk {
  readonly firstRow: number;
  readonly rows: number;
}

/** Rows in chunks of at most 1024. */
export function rowChunks(rows: number): RowChunk[] {
  const chunks: RowChunk[] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += CHUNK_ROWS) {
    chunks.push({ firstRow, rows: Math.min(CHUNK_ROWS, rows - firstRow) });
  }
  return chunks;
}

/** Rows of a chunk as a tensor that shares the storage of `matrix` [rows, width]. */
export function chunkOf(matrix: Tensor, { firstRow, rows }: RowChunk): Tensor {
  const width = matrix.size / rowsOf(matrix);
  return viewOf(matrix, [rows, width], firstRow * width * 4);
}

export interface VocabularySlice {
  readonly firstColumn: number;
  readonly columns: number;
  /** [columns, d]. */
  readonly weight: Tensor;
}

/** Calls `visit` with each slice of the weight's rows, ascending. */
export function forEachSlice(weight: Tensor, visit: (slice: VocabularySlice) => void): void {
  const vocabulary = rowsOf(weight);
  for (let firstColumn = 0; firstColumn < vocabulary; firstColumn += SLICE_COLUMNS) {
    const columns = Math.min(SLICE_COLUMNS, vocabulary - firstColumn);
    const rows = readRows(weight, firstColumn, columns);
    visit({ firstColumn, columns, weight: rows });
    rows.dispose();
  }
}

/** Elements from one row of a slice's logits to the next. */
export function sliceStride(vocabulary: number): number {
  return Math.min(SLICE_COLUMNS, Math.ceil(vocabulary / VOCABULARY_BLOCK) * VOCABULARY_BLOCK);
}

/** Logits of the rows `hidden` [rows, d] in a slice, in a new tensor [rows, stride] whose columns beyond the slice are undefined. */
export function sliceLogits(hidden: Tensor, slice: VocabularySlice, stride: number): LogitSlice {
  const [rows, d] = matrixShape(hidden);
  const { columns, firstColumn, weight } = slice;
  const logits = hidden.device.empty([rows, stride]);
  matmulInto(hidden.device, {
    layout: "nt",
    a: hidden,
    b: weight,
    out: logits,
    m: rows,
    n: columns,
    k: d,
    outColumns: { column: 0, stride },
  });
  return { logits, rows, columns, stride, firstColumn };
}

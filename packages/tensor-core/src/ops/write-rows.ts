// Writing rows into a tensor in place, for caches. Not an op of the registry: it changes its argument and is never on a tape.
import { TensorError } from "../error.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { aligned } from "./aligned.ts";
import { expectDistinct, type IndexSizes, type RowIndex } from "./row-index.ts";
import { grid, perItemHead } from "./wgsl.ts";

const kernel = defineKernel((wide: boolean) => {
  const V = wide ? "vec4u" : "u32";
  return {
    name: `write_rows${wide ? "/vec4" : ""}`,
    reads: { rows: V, words: "u32" },
    writes: { out: V },
    uniforms: { items: "u32", width: "u32" },
    code: `${perItemHead}
  if (i >= P.items) { return; }
  let position = i / P.width;
  out[words[position] * P.width + (i - position * P.width)] = rows[i];
}`,
  };
});

/** `target[index[i]] = rows[i]` for every i, in place; `target` [index.rows, ...], any dtype. Throws `argument` where a row number occurs twice, `shape` or `dtype` where the two do not fit. */
export function writeRows(target: Tensor, rows: Tensor, index: RowIndex): void {
  expectDistinct("writeRows", index);
  if (rows.dtype !== target.dtype) throw new TensorError("dtype", `writeRows: ${rows} does not go into ${target}`);
  const rowShapesFit = String(rows.shape.slice(1)) === String(target.shape.slice(1));
  if (!rowShapesFit || rows.shape[0] !== index.length || target.shape[0] !== index.rows) {
    throw new TensorError(
      "shape",
      `writeRows: ${rows} and ${index.length} of ${index.rows} row numbers do not fit ${target}`,
    );
  }
  const temporary: Tensor[] = [];
  dispatchWriteRows(target, aligned(rows, temporary), index.words, index);
  for (const copy of temporary) copy.dispose();
}

/** Records the write; everything fits. */
export function dispatchWriteRows(target: Tensor, rows: Tensor, words: Tensor, { length }: IndexSizes): void {
  if (rows.size === 0) return;
  const columns = rows.bytes / 4 / length;
  const wide = columns % 4 === 0;
  const width = wide ? columns / 4 : columns;
  target.device.dispatch(kernel(wide), {
    reads: [rows, words],
    writes: [target],
    uniforms: [length * width, width],
    groups: grid(target.device, length * width),
  });
}

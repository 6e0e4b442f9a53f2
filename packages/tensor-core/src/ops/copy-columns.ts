// Copies a block of columns between two matrices of 32-bit words: what concatenation, slicing and their gradients are made of.
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** Part of a matrix, in elements: row r's block starts at `start + r * stride`. */
export interface ColumnBlock {
  readonly tensor: Tensor;
  readonly start: number;
  readonly stride: number;
}

const kernel = defineKernel((wide: boolean) => {
  const V = wide ? "vec4u" : "u32";
  return {
    name: `copy_columns${wide ? "/vec4" : ""}`,
    reads: { x: V },
    writes: { out: V },
    uniforms: { items: "u32", width: "u32", fromStart: "u32", fromStride: "u32", toStart: "u32", toStride: "u32" },
    code: `${perItemHead}
  if (i >= P.items) { return; }
  let row = i / P.width;
  let column = i - row * P.width;
  out[P.toStart + row * P.toStride + column] = x[P.fromStart + row * P.fromStride + column];
}`,
  };
});

/** Records the copy of `rows` rows of `width` elements; equal dtypes, bf16 in even numbers. */
export function copyColumns(from: ColumnBlock, to: ColumnBlock, rows: number, width: number): void {
  if (rows === 0 || width === 0) return;
  const perWord = from.tensor.dtype === "bf16" ? 2 : 1;
  const words = [width, from.start, from.stride, to.start, to.stride].map((elements) => elements / perWord);
  const wide = words.every((n) => n % 4 === 0);
  const [columns = 0, ...layout] = wide ? words.map((n) => n / 4) : words;
  const items = rows * columns;
  const { device } = to.tensor;
  device.dispatch(kernel(wide), {
    reads: [from.tensor],
    writes: [to.tensor],
    uniforms: [items, columns, ...layout],
    groups: grid(device, items),
  });
}

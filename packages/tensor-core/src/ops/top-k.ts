// The k largest elements of each row, in order.
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { sizeOf } from "../dtype.ts";
import { TensorError } from "../error.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type ReferenceArray, shapeError } from "./define.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** The most that can be asked for. */
export const LARGEST_K = 64;
/** Longer rows are cut into parts of this length, whose k largest are then cut and merged in turn. */
const PART = 1024;

// A thread per part of a row. It goes through the part once for each of the k, looking for the first element after the last one found, by
// a key of the bits (a total order; NaN above all) and then by ascending column. A part shorter than k leaves columns 0xffffffff.
const kernel = defineKernel((merge: boolean) => ({
  name: `top_k${merge ? "/merge" : ""}`,
  reads: merge ? { x: "u32", columns: "u32" } : { x: "u32" },
  writes: { values: "u32", indices: "u32" },
  uniforms: { items: "u32", width: "u32", parts: "u32", part: "u32", k: "u32" },
  code: `
fn key_of(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  if (bits == 0x80000000u) { return 0x80000000u; } // -0 is 0
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}${perItemHead}
  if (i >= P.items) { return; }
  let base = (i / P.parts) * P.width;
  let first = (i % P.parts) * P.part;
  let end = min(first + P.part, P.width);
  var last_key = 0xffffffffu;
  var next_column = 0u;
  for (var j = 0u; j < P.k; j++) {
    var best_key = 0u;
    var best_column = 0xffffffffu;
    var best_at = base + first;
    for (var c = first; c < end; c++) {
      let column = ${merge ? "columns[base + c]" : "c"};
      let key = select(key_of(x[base + c]), 0u, column == 0xffffffffu);
      let left = key < last_key || (key == last_key && column >= next_column);
      if (left && (key > best_key || (key == best_key && column < best_column))) {
        best_key = key;
        best_column = column;
        best_at = base + c;
      }
    }
    values[i * P.k + j] = x[best_at];
    indices[i * P.k + j] = best_column;
    last_key = best_key;
    next_column = best_column + 1u;
  }
}`,
}));

/** Records the search over rows of `width` elements; `columns` names the elements where they are candidates of an earlier search. */
export function dispatchTopK(
  device: Device,
  x: Tensor,
  columns: Tensor | undefined,
  [values, indices]: readonly [Tensor, Tensor],
  { rows, width, k }: { readonly rows: number; readonly width: number; readonly k: number },
): void {
  const parts = Math.ceil(width / PART);
  const shape = [rows, parts, k];
  const found =
    parts === 1 ? ([values, indices] as const) : ([device.empty(shape), device.empty(shape, "u32")] as const);
  device.dispatch(kernel(columns !== undefined), {
    reads: columns ? [x, columns] : [x],
    writes: found,
    uniforms: [rows * parts, width, parts, PART, k],
    groups: grid(device, rows * parts),
  });
  if (parts === 1) return;
  dispatchTopK(device, found[0], found[1], [values, indices], { rows, width: parts * k, k });
  for (const tensor of found) tensor.dispose();
}

/** Rows of the last dimension and its length. Throws `shape` where there is nothing to choose from. */
export function searchedRows(
  op: string,
  { shape }: { readonly shape: readonly number[] },
): { rows: number; width: number } {
  const width = shape.at(-1);
  if (width === undefined || width === 0)
    shapeError(op, `[${shape.join(", ")}] has nothing to choose from in its last dimension`);
  return { rows: sizeOf(shape) / width, width };
}

/** Columns of one row in the order of the search: NaN, then values descending, then columns ascending. For references. */
export function orderOf(row: Float64Array): number[] {
  const ahead = (x: number, y: number) => (Number.isNaN(x) ? !Number.isNaN(y) : x > y);
  return Array.from(row.keys()).sort((a, b) => {
    const [x, y] = [at(row, a), at(row, b)];
    return Number(ahead(y, x)) - Number(ahead(x, y)) || a - b;
  });
}

export interface TopK {
  /** f32 [..., k], descending. */
  readonly values: Tensor;
  /** Columns, u32 [..., k]. */
  readonly indices: Tensor;
}

/**
 * The `k` largest elements of each row of `x` (f32 [..., n], k up to 64 and n) and their columns, in descending order; of equal elements the
 * lower column comes first, NaN counts as largest. Not differentiable. Throws `argument` for a k out of range.
 */
export const topK = defineOp({
  name: "topK",
  summary: "k largest elements of each row and their columns",
  nonFinite: "NaN counts as largest",
  call: (x: Tensor, k: number) => ({ inputs: [x], params: { k } }),
  infer: ([x], { k }) => {
    expectDType("topK", x, "f32");
    const { width } = searchedRows("topK", x);
    const most = Math.min(LARGEST_K, width);
    if (!Number.isInteger(k) || k < 1 || k > most)
      throw new TensorError("argument", `topK: k is ${k}, but must be a whole number from 1 to ${most} for ${x}`);
    const shape = [...x.shape.slice(0, -1), k];
    return [{ shape }, { shape, dtype: "u32" as const }];
  },
  run: (device, [x], [values, indices], { k }) =>
    dispatchTopK(device, x, undefined, [values, indices], { ...searchedRows("topK", x), k }),
  result: ([values, indices]): TopK => ({ values, indices }),
  reference: ([x], { k }) => {
    const { rows, width } = searchedRows("topK", x);
    const shape = [...x.shape.slice(0, -1), k];
    const values: ReferenceArray = { shape, data: new Float64Array(rows * k) };
    const indices: ReferenceArray = { shape, data: new Float64Array(rows * k) };
    for (let r = 0; r < rows; r++) {
      const row = x.data.subarray(r * width, (r + 1) * width);
      orderOf(row)
        .slice(0, k)
        .forEach((column, j) => {
          values.data[r * k + j] = at(row, column);
          indices.data[r * k + j] = column;
        });
    }
    return [values, indices];
  },
  cases: [
    { name: "ragged", inputs: [{ shape: [5, 7] }], params: { k: 3 }, tolerance: 0 },
    {
      name: "ties and zeros",
      inputs: [{ shape: [2, 6], values: [1, 2, 2, -0, 0, 2, -5, -5, -7, -5, Number.NEGATIVE_INFINITY, -5] }],
      params: { k: 6 },
      tolerance: 0,
    },
    { name: "no rows", inputs: [{ shape: [0, 7] }], params: { k: 2 } },
    { name: "parts, the last one short", inputs: [{ shape: [2, 2051] }], params: { k: 5 }, tolerance: 0 },
    { name: "merged twice", inputs: [{ shape: [1, 20_000] }], params: { k: 64 }, tolerance: 0, full: true },
  ],
});

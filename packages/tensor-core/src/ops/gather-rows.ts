// Rows of a matrix by number: embedding lookup, reordering, picking rows.
import { defineKernel } from "../submit/kernel.ts";
import { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { type IndexSizes, indexCase, type RowIndex, sizesOf } from "./row-index.ts";
import { scatterInto } from "./scatter-rows.ts";
import { grid, perItemHead } from "./wgsl.ts";

interface Params extends IndexSizes {
  /** Rows of each part of a row-sharded matrix. */
  readonly shards: readonly number[] | undefined;
}

// A thread per vector of the result; it writes where its row lies in this part of the matrix.
const kernel = (source: "bf16" | "f32" | "vec4f") =>
  defineKernel(`gather_rows/${source}`, () => ({
    reads: { x: source === "bf16" ? "u32" : source, words: "u32" },
    writes: { out: source === "bf16" ? "vec2f" : source },
    uniforms: { items: "u32", width: "u32", start: "u32", rows: "u32" },
    code: `${perItemHead}
  if (i >= P.items) { return; }
  let position = i / P.width;
  let row = words[position] - P.start; // wraps to a large number before the part
  if (row >= P.rows) { return; }
  let value = x[row * P.width + (i - position * P.width)];
  out[i] = ${source === "bf16" ? "bitcast<vec2f>(vec2u(value << 16u, value & 0xffff0000u))" : "value"};
}`,
  }));

/**
 * Rows `index` of `x`: f32 [index.length, ...]. `x` is f32 or bf16 [index.rows, ...], also row-sharded. Its gradient is the sum of the
 * cotangent rows that name a row, in ascending position (f32, sharded as `x`). Throws `shape` where `index` is of another number of rows.
 */
export const gatherRows = defineOp({
  name: "gatherRows",
  summary: "rows by number; the embedding lookup",
  call: (x: Tensor, index: RowIndex) => ({
    inputs: [x, index.words],
    params: { ...sizesOf(index), shards: x.shards?.map((shard) => shard.shape[0]!) },
  }),
  infer: ([x], { length, rows }: Params) => {
    expectDType("gatherRows", x!, "f32", "bf16");
    if (x!.shape[0] !== rows) shapeError("gatherRows", `an index into ${rows} rows does not fit ${x}`);
    return [{ shape: [length, ...x!.shape.slice(1)] }];
  },
  run: (device, [x, words], [out], { length }) => {
    const columns = out!.size / length;
    const source = x!.dtype === "bf16" ? "bf16" : columns % 4 === 0 ? "vec4f" : "f32";
    const width = columns / { bf16: 2, vec4f: 4, f32: 1 }[source];
    for (const { start, tensor } of x!.parts()) {
      device.dispatch(kernel(source), {
        reads: [tensor, words!],
        writes: [out!],
        uniforms: [length * width, width, start, tensor.shape[0]!],
        groups: grid(device, length * width),
      });
    }
  },
  vjp: ({ inputs: [x, words], cotangents: [g], params }) => {
    const { device } = g!;
    const rest = x!.shape.slice(1);
    const shards = params.shards?.map((count) => device.empty([count, ...rest]));
    const gradient = shards ? new Tensor(device, x!.shape, "f32", { shards }) : device.empty(x!.shape);
    scatterInto(gradient, g!, words!, params);
    return [gradient];
  },
  saves: { inputs: [1] },
  reference: ([x, words], { length }) => {
    const columns = x!.data.length / (x!.shape[0] || 1);
    const shape = [length, ...x!.shape.slice(1)];
    const data = new Float64Array(length * columns);
    for (let i = 0; i < length; i++) {
      const row = words!.data[i]!;
      data.set(x!.data.subarray(row * columns, (row + 1) * columns), i * columns);
    }
    return [{ shape, data }];
  },
  cases: [
    gatherCase("vec4, repeats", [6, 8], [5, 0, 5, 2, 5]),
    gatherCase("ragged", [4, 7], [3, 3, 1]),
    gatherCase("three dimensions", [4, 2, 3], [1, 0]),
    gatherCase("permutation", [5, 4], [4, 2, 0, 1, 3]),
    gatherCase("no rows", [4, 4], []),
    { ...gatherCase("bf16", [6, 10], [5, 0, 5, 2]), inputs: bf16Inputs([6, 10], [5, 0, 5, 2]) },
    {
      ...gatherCase(
        "large",
        [300, 64],
        Array.from({ length: 900 }, (_, i) => (i * i) % 300),
      ),
      full: true,
    },
  ],
});

function gatherCase(name: string, shape: number[], indices: number[]) {
  const { input, sizes } = indexCase(indices, shape[0]!);
  return { name, inputs: [{ shape }, input], params: { ...sizes, shards: undefined } };
}

function bf16Inputs(shape: number[], indices: number[]) {
  return [{ shape, dtype: "bf16" as const }, indexCase(indices, shape[0]!).input];
}

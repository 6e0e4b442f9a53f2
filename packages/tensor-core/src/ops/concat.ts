// Joining tensors along an axis.
import { at } from "../checked.ts";
import { TensorError } from "../error.ts";
import type { Tensor } from "../tensor.ts";
import { aroundAxis, resolveAxis } from "./axis.ts";
import { copyColumns } from "./copy-columns.ts";
import { defineOp, type ReferenceArray, shapeError } from "./define.ts";
import { slice } from "./slice.ts";

interface Params {
  readonly axis: number;
}

/** The tensors one after the other along `axis` (negative counts from the end); one dtype, other lengths equal. Throws `shape` or `dtype` where they do not fit. */
export const concat = defineOp({
  name: "concat",
  summary: "tensors joined along an axis",
  call: (tensors: readonly Tensor[], axis: number) => ({
    inputs: tensors,
    params: { axis: resolveAxis("concat", tensors[0]?.shape ?? [], axis) },
  }),
  infer: (tensors, { axis }: Params) => {
    const [first, ...others] = tensors as [Tensor, ...Tensor[]];
    const rest = (t: Tensor) => String([t.shape.length, ...t.shape.filter((_, k) => k !== axis)]);
    for (const t of others) {
      if (rest(t) !== rest(first)) shapeError("concat", `${t} does not join ${first} along axis ${axis}`);
      if (t.dtype !== first.dtype) throw new TensorError("dtype", `concat: ${t} does not join ${first}`);
    }
    return [
      {
        shape: joined(
          tensors.map((t) => t.shape),
          axis,
        ),
        dtype: first.dtype,
      },
    ];
  },
  run: (_device, tensors, [out], { axis }) => {
    const stride = blockOf(out.shape, axis);
    let start = 0;
    for (const tensor of tensors) {
      const width = blockOf(tensor.shape, axis);
      const { outer } = aroundAxis(tensor.shape, axis);
      copyColumns({ tensor, start: 0, stride: width }, { tensor: out, start, stride }, outer, width);
      start += width;
    }
  },
  vjp: ({ inputs, cotangents: [g], params: { axis }, needs }) => {
    let end = 0;
    return inputs.map((t, k) => {
      const start = end;
      end += at(t.shape, axis);
      return needs[k] ? slice(g, axis, start, end) : undefined;
    });
  },
  saves: { inputs: [] },
  reference: (arrays, { axis }) => {
    const shape = joined(
      arrays.map((a) => a.shape),
      axis,
    );
    const data = new Float64Array(shape.reduce((product, n) => product * n, 1));
    const stride = blockOf(shape, axis);
    let start = 0;
    for (const array of arrays) {
      copyBlocks(array, data, start, stride, axis);
      start += blockOf(array.shape, axis);
    }
    return [{ shape, data }];
  },
  cases: [
    { name: "rows", inputs: [{ shape: [2, 8] }, { shape: [3, 8] }, { shape: [1, 8] }], params: { axis: 0 } },
    { name: "ragged rows", inputs: [{ shape: [2, 3] }, { shape: [5, 3] }], params: { axis: 0 } },
    { name: "columns", inputs: [{ shape: [3, 4] }, { shape: [3, 8] }], params: { axis: 1 } },
    { name: "ragged columns", inputs: [{ shape: [3, 4] }, { shape: [3, 5] }, { shape: [3, 1] }], params: { axis: 1 } },
    { name: "middle", inputs: [{ shape: [2, 1, 3] }, { shape: [2, 4, 3] }], params: { axis: 1 } },
    { name: "one, with an empty one", inputs: [{ shape: [2, 4] }, { shape: [0, 4] }], params: { axis: 0 } },
    {
      name: "u32",
      inputs: [
        { shape: [5], dtype: "u32" },
        { shape: [2], dtype: "u32" },
      ],
      params: { axis: 0 },
    },
    {
      name: "bf16",
      inputs: [
        { shape: [3, 2], dtype: "bf16", constant: true },
        { shape: [3, 6], dtype: "bf16", constant: true },
      ],
      params: { axis: 1 },
    },
  ],
});

/** Elements from one step of the dimensions before `axis` to the next. */
function blockOf(shape: readonly number[], axis: number): number {
  const { length, inner } = aroundAxis(shape, axis);
  return length * inner;
}

function joined(shapes: readonly (readonly number[])[], axis: number): number[] {
  const whole = shapes.reduce((sum, shape) => sum + at(shape, axis), 0);
  return at(shapes, 0).map((n, k) => (k === axis ? whole : n));
}

function copyBlocks(array: ReferenceArray, data: Float64Array, start: number, stride: number, axis: number): void {
  const width = blockOf(array.shape, axis);
  for (let o = 0; o < aroundAxis(array.shape, axis).outer; o++)
    data.set(array.data.subarray(o * width, (o + 1) * width), start + o * stride);
}

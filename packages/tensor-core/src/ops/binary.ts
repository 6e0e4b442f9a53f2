// What a function of two numbers needs to be an op with broadcasting: WGSL and f64 of the value, gradients as ops.
import type { Tensor } from "../tensor.ts";
import { type BroadcastDType, broadcastKernel, broadcastShape, dispatchBroadcast, eachBroadcast } from "./broadcast.ts";
import { type CaseInput, defineOp, expectDType, type Op, type OpCase, shapeError, type VjpContext } from "./define.ts";
import { sumTo } from "./sum-to.ts";

export interface BinarySpec {
  readonly name: string;
  readonly summary: string;
  /** WGSL in `a` and `b`. */
  readonly forward: string;
  /** Element types; both operands have the same one. Default f32. */
  readonly dtypes?: readonly BroadcastDType[];
  /** Default: that of the operands. */
  readonly out?: BroadcastDType;
  /** Gradients in the common shape; they are summed to the operands' shapes. Absent: not differentiable. */
  readonly gradients?: (g: Tensor, context: BinaryContext) => readonly [() => Tensor, () => Tensor];
  readonly saves?: { readonly inputs?: readonly number[]; readonly outputs?: readonly number[] };
  readonly value: (a: number, b: number) => number;
  /** The second operand of the standard cases stays away from 0. */
  readonly divisor?: boolean;
}

export interface BinaryContext {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly y: Tensor;
}

/** An element-wise op of two tensors that broadcast. */
export function defineBinary(spec: BinarySpec): ((a: Tensor, b: Tensor) => Tensor) & Op {
  const { name, dtypes = ["f32"], gradients } = spec;
  const kernelOf = (dtype: BroadcastDType) =>
    broadcastKernel(`${name}/${dtype}`, {
      operands: { a: dtype, b: dtype },
      out: spec.out ?? dtype,
      expression: spec.forward,
    });
  const kernels = { f32: kernelOf("f32"), i32: kernelOf("i32"), u32: kernelOf("u32") };
  const op = {
    name,
    summary: spec.summary,
    call: (a: Tensor, b: Tensor) => ({ inputs: [a, b], params: {} }),
    infer: ([a, b]: readonly Tensor[]) => {
      for (const operand of [a!, b!]) expectDType(name, operand, ...dtypes);
      if (a!.dtype !== b!.dtype) shapeError(name, `${a} and ${b} differ in element type`);
      return [{ shape: broadcastShape(name, [a!.shape, b!.shape]), dtype: spec.out ?? a!.dtype }];
    },
    run: (_device: unknown, [a, b]: readonly Tensor[], [out]: readonly Tensor[]) => {
      const dtype = a!.dtype as BroadcastDType;
      dispatchBroadcast(kernels[dtype], [a!, b!], out!);
    },
    saves: spec.saves ?? {},
    reference: ([a, b]: Parameters<Op["reference"]>[0]) => {
      const shape = broadcastShape(name, [a!.shape, b!.shape]);
      const data = new Float64Array(shape.reduce((product, length) => product * length, 1));
      eachBroadcast(shape, [a!.shape, b!.shape], (at, i, j) => {
        data[at] = spec.value(a!.data[i!]!, b!.data[j!]!);
      });
      return [{ shape, data }];
    },
    cases: casesOf(spec),
  };
  if (!gradients) return defineOp(op);
  return defineOp({
    ...op,
    vjp: ({ inputs: [a, b], outputs: [y], cotangents: [g], needs }: VjpContext<object>) => {
      const made = gradients(g!, { a: a!, b: b!, y: y! });
      return [a!, b!].map((operand, k) => (needs[k] ? sumTo(made[k]!(), operand.shape) : undefined));
    },
  });
}

const SHAPES: Readonly<Record<string, readonly [readonly number[], readonly number[]]>> = {
  "equal shapes": [
    [3, 7],
    [3, 7],
  ],
  "one element": [[1], [1]],
  empty: [
    [0, 4],
    [0, 4],
  ],
  scalar: [[], [5, 3]],
  "row, vec4": [[6, 8], [8]],
  "row, ragged": [[7], [6, 7]],
  column: [
    [6, 8],
    [6, 1],
  ],
  outer: [
    [5, 1],
    [1, 6],
  ],
  "four dimensions": [
    [2, 1, 3, 4],
    [1, 5, 3, 1],
  ],
};

function casesOf(spec: BinarySpec): OpCase<object>[] {
  const { divisor, dtypes = ["f32"] } = spec;
  const cases: OpCase<object>[] = Object.entries(SHAPES).map(([name, [a, b]]) => ({
    name,
    inputs: [{ shape: a }, divisor ? { shape: b, values: "positive" as const } : { shape: b }],
    params: {},
  }));
  for (const dtype of dtypes.filter((d) => d !== "f32")) {
    const input: CaseInput = { shape: [9, 12], dtype, below: 4 };
    cases.push({ name: dtype, inputs: [input, { ...input, shape: [12] }], params: {} });
  }
  const large = { shape: [120, 161] };
  cases.push({
    name: "large",
    inputs: [large, divisor ? { ...large, values: "positive" } : large],
    params: {},
    full: true,
  });
  return cases;
}

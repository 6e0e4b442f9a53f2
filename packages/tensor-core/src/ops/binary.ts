// What a function of two numbers needs to be an op with broadcasting: WGSL and f64 of the value, gradients as ops.
import { sizeOf } from "../dtype.ts";
import { TensorError } from "../error.ts";
import type { Operand, Tensor } from "../tensor.ts";
import {
  type BroadcastDType,
  broadcastDType,
  broadcastReader,
  broadcastShape,
  defineBroadcastKernel,
  dispatchBroadcast,
  expectNumber,
} from "./broadcast.ts";
import {
  type CaseInput,
  defineOp,
  expectDType,
  type Op,
  type OpCase,
  type ReferenceArray,
  shapeError,
} from "./define.ts";
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
  /** Which of `a`, `b` and `y` the gradients read. Default `a` and `b`. */
  readonly saves?: readonly ("a" | "b" | "y")[];
  /** As an op's. */
  readonly nonFinite?: string;
  readonly value: (a: number, b: number) => number;
  /** The second operand of the standard cases stays away from 0. */
  readonly divisor?: boolean;
}

export interface BinaryContext {
  readonly a: Operand;
  readonly b: Operand;
  readonly y: Tensor;
}

/** The operand that is a number, where one is; then the tensor is the other. */
interface Params {
  readonly number?: { readonly operand: "a" | "b"; readonly value: number };
}

type Inputs = readonly [Tensor, Tensor?];

/** An element-wise op of two operands that broadcast: tensors, or a tensor and a number, which takes the tensor's element type. */
export function defineBinary(spec: BinarySpec): ((a: Operand, b: Operand) => Tensor) & Op {
  const { name, dtypes = ["f32"], gradients, saves = ["a", "b"] } = spec;
  const kernel = defineBroadcastKernel((dtype: BroadcastDType, number: "a" | "b" | "") => ({
    name: `${name}/${dtype}${number && "/number"}`,
    operands: { a: dtype, b: dtype },
    numbers: number ? [number] : [],
    out: spec.out ?? dtype,
    expression: spec.forward,
  }));
  const common = {
    name,
    summary: spec.summary,
    ...(spec.nonFinite === undefined ? {} : { nonFinite: spec.nonFinite }),
    call: (a: Operand, b: Operand): { inputs: Inputs; params: Params } => {
      if (typeof a !== "number" && typeof b !== "number") return { inputs: [a, b], params: {} };
      if (typeof a !== "number" && typeof b === "number")
        return { inputs: [a], params: { number: { operand: "b", value: b } } };
      if (typeof a === "number" && typeof b !== "number")
        return { inputs: [b], params: { number: { operand: "a", value: a } } };
      throw new TensorError("argument", `${name} of two numbers: one operand is a tensor`);
    },
    infer: ([x, other = x]: Inputs, { number }: Params) => {
      for (const operand of [x, other]) expectDType(name, operand, ...dtypes);
      if (x.dtype !== other.dtype) shapeError(name, `${x} and ${other} differ in element type`);
      if (number) expectNumber(name, number.value, x.dtype);
      return [{ shape: broadcastShape(name, [x.shape, other.shape]), dtype: spec.out ?? x.dtype }] as const;
    },
    run: (_device: unknown, [x, other]: Inputs, [out]: readonly [Tensor], { number }: Params) => {
      const reads = other ? [x, other] : [x];
      dispatchBroadcast(
        kernel(broadcastDType(name, x), number?.operand ?? ""),
        reads,
        out,
        number ? [number.value] : [],
      );
    },
    reference: ([x, other]: readonly [ReferenceArray, ReferenceArray?], { number }: Params) => {
      const value = number && { shape: [], data: Float64Array.of(number.value) };
      const [a, b] = number?.operand === "a" ? [value ?? x, x] : [x, other ?? value ?? x];
      const shape = broadcastShape(name, [a.shape, b.shape]);
      const [p, q] = [broadcastReader(a, shape), broadcastReader(b, shape)];
      return [{ shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => spec.value(p(i), q(i))) }] as const;
    },
    cases: casesOf(spec),
  };
  if (!gradients) return defineOp(common);
  return defineOp({
    ...common,
    vjp: ({ inputs: [x, other], outputs: [y], cotangents: [g], params: { number }, needs }) => {
      const a = number?.operand === "a" ? number.value : x;
      const b = number?.operand === "a" ? x : (number?.value ?? other ?? x);
      const [ofA, ofB] = gradients(g, { a, b, y });
      if (number) return [sumTo(number.operand === "a" ? ofB() : ofA(), x.shape)];
      return [needs[0] ? sumTo(ofA(), x.shape) : undefined, needs[1] && other ? sumTo(ofB(), other.shape) : undefined];
    },
    saves: ({ number }) => ({
      inputs: (number?.operand === "a" ? ["b" as const] : (["a", "b"] as const)).flatMap((operand, k) =>
        saves.includes(operand) ? [k] : [],
      ),
      outputs: saves.includes("y") ? [0] : [],
    }),
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

function casesOf(spec: BinarySpec): OpCase<Params>[] {
  const { divisor, dtypes = ["f32"] } = spec;
  const cases: OpCase<Params>[] = Object.entries(SHAPES).map(([name, [a, b]]) => ({
    name,
    inputs: [{ shape: a }, divisor ? { shape: b, values: "positive" as const } : { shape: b }],
    params: {},
  }));
  for (const dtype of dtypes.filter((d) => d !== "f32")) {
    const input: CaseInput = { shape: [9, 12], dtype, below: 4 };
    cases.push({ name: dtype, inputs: [input, { ...input, shape: [12] }], params: {} });
    cases.push({ name: `${dtype} and a number`, inputs: [input], params: { number: { operand: "b", value: 2 } } });
  }
  const numbers = { shape: [5, 7], values: divisor ? ("positive" as const) : ("normal" as const) };
  cases.push({ name: "number first", inputs: [numbers], params: { number: { operand: "a", value: 0.75 } } });
  cases.push({ name: "number last", inputs: [numbers], params: { number: { operand: "b", value: -1.5 } } });
  const large = { shape: [120, 161] };
  cases.push({
    name: "large",
    inputs: [large, divisor ? { ...large, values: "positive" } : large],
    params: {},
    full: true,
  });
  return cases;
}

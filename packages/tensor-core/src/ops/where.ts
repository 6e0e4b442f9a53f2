// Choice between two operands, element by element.
import { sizeOf } from "../dtype.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { broadcastReader, broadcastShape, defineBroadcastKernel, dispatchBroadcast } from "./broadcast.ts";
import { type CaseInput, defineOp, expectDType, type Op, type ReferenceArray } from "./define.ts";
import { sumTo } from "./sum-to.ts";

/** The condition, and those of `a` and `b` that are tensors. */
type Inputs<T> = readonly [condition: T, first?: T, second?: T];

/** Those of `a` and `b` that are numbers. */
interface Numbers {
  readonly a?: number;
  readonly b?: number;
}

const kernel = defineBroadcastKernel((aIsNumber: boolean, bIsNumber: boolean) => ({
  name: "where",
  operands: { c: "u32", a: "f32", b: "f32" },
  numbers: [...(aIsNumber ? ["a"] : []), ...(bIsNumber ? ["b"] : [])],
  out: "f32",
  expression: "select(b, a, c != U(0u))",
}));

/** `a` where `condition` (u32) is not 0, else `b`, with broadcasting; `a` and `b` f32 or numbers. */
export const where: ((condition: Tensor, a: Operand, b: Operand) => Tensor) & Op = defineOp({
  name: "where",
  summary: "a where condition is not 0, else b",
  call: (condition: Tensor, a: Operand, b: Operand): { inputs: Inputs<Tensor>; params: Numbers } => {
    if (typeof a !== "number")
      return typeof b === "number"
        ? { inputs: [condition, a], params: { b } }
        : { inputs: [condition, a, b], params: {} };
    return typeof b === "number"
      ? { inputs: [condition], params: { a, b } }
      : { inputs: [condition, b], params: { a } };
  },
  infer: ([condition, ...operands]) => {
    expectDType("where", condition, "u32");
    const tensors = operands.filter((t) => t !== undefined);
    for (const operand of tensors) expectDType("where", operand, "f32");
    return [
      {
        shape: broadcastShape(
          "where",
          [condition, ...tensors].map((t) => t.shape),
        ),
      },
    ];
  },
  run: (_device, inputs, [out], { a, b }) =>
    dispatchBroadcast(
      kernel(a !== undefined, b !== undefined),
      inputs.filter((t) => t !== undefined),
      out,
      [a, b].filter((n) => n !== undefined),
    ),
  vjp: ({ inputs: [condition, first, second], cotangents: [g], params: { a }, needs }) => {
    const ofA = (x: Tensor) => sumTo(where(condition, g, 0), x.shape);
    const ofB = (x: Tensor) => sumTo(where(condition, 0, g), x.shape);
    return [
      undefined,
      needs[1] && first ? (a === undefined ? ofA(first) : ofB(first)) : undefined,
      needs[2] && second ? ofB(second) : undefined,
    ];
  },
  saves: { inputs: [0] },
  reference: ([condition, first, second]: Inputs<ReferenceArray>, { a, b }) => {
    const full = (value = 0): ReferenceArray => ({ shape: [], data: Float64Array.of(value) });
    const [ofA, ofB] = a === undefined ? [first, second ?? full(b)] : [full(a), first ?? full(b)];
    const arrays = [condition, ofA ?? full(), ofB] as const;
    const shape = broadcastShape(
      "where",
      arrays.map((array) => array.shape),
    );
    const [c, p, q] = [
      broadcastReader(arrays[0], shape),
      broadcastReader(arrays[1], shape),
      broadcastReader(arrays[2], shape),
    ];
    return [{ shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => (c(i) ? p(i) : q(i))) }];
  },
  cases: [
    { name: "equal shapes", inputs: [flags([5, 7]), { shape: [5, 7] }, { shape: [5, 7] }], params: {} },
    { name: "mask of rows", inputs: [flags([6, 1]), { shape: [6, 8] }, { shape: [] }], params: {} },
    { name: "mask of columns", inputs: [flags([7]), { shape: [4, 7] }, { shape: [4, 1] }], params: {} },
    { name: "empty", inputs: [flags([0]), { shape: [0] }, { shape: [1] }], params: {} },
    { name: "number first", inputs: [flags([7]), { shape: [4, 7] }], params: { a: 0.5 } },
    { name: "number last", inputs: [flags([6, 1]), { shape: [6, 8] }], params: { b: -2 } },
    { name: "two numbers", inputs: [flags([5, 7])], params: { a: 1, b: -1 } },
  ],
});

function flags(shape: number[]): CaseInput {
  return { shape, dtype: "u32", below: 2 };
}

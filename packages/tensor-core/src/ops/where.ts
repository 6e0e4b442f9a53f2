// Choice between two tensors, element by element.
import type { Tensor } from "../tensor.ts";
import { broadcastKernel, broadcastShape, dispatchBroadcast, eachBroadcast } from "./broadcast.ts";
import { defineOp, expectDType } from "./define.ts";
import { fill } from "./fill.ts";
import { sumTo } from "./sum-to.ts";

const kernel = broadcastKernel("where", {
  operands: { c: "u32", a: "f32", b: "f32" },
  out: "f32",
  expression: "select(b, a, c != U(0u))",
});

/** `a` where `condition` (u32) is not 0, else `b` (f32), with broadcasting. */
export const where: WhereOp = defineOp({
  name: "where",
  summary: "a where condition is not 0, else b",
  call: (condition: Tensor, a: Tensor, b: Tensor) => ({ inputs: [condition, a, b], params: {} }),
  infer: ([condition, a, b]) => {
    expectDType("where", condition!, "u32");
    for (const operand of [a!, b!]) expectDType("where", operand, "f32");
    return [{ shape: broadcastShape("where", [condition!.shape, a!.shape, b!.shape]) }];
  },
  run: (_device, reads, [out]) => dispatchBroadcast(kernel, reads, out!),
  vjp: ({ inputs: [condition, a, b], cotangents: [g], needs }) => {
    const zero = fill(g!.device, [], 0);
    return [
      undefined,
      needs[1] ? sumTo(where(condition!, g!, zero), a!.shape) : undefined,
      needs[2] ? sumTo(where(condition!, zero, g!), b!.shape) : undefined,
    ];
  },
  saves: { inputs: [0] },
  reference: ([condition, a, b]) => {
    const shapes = [condition!.shape, a!.shape, b!.shape];
    const shape = broadcastShape("where", shapes);
    const data = new Float64Array(shape.reduce((product, length) => product * length, 1));
    eachBroadcast(shape, shapes, (at, i, j, k) => {
      data[at] = condition!.data[i!] ? a!.data[j!]! : b!.data[k!]!;
    });
    return [{ shape, data }];
  },
  cases: [
    { name: "equal shapes", inputs: [flags([5, 7]), { shape: [5, 7] }, { shape: [5, 7] }], params: {} },
    { name: "mask of rows", inputs: [flags([6, 1]), { shape: [6, 8] }, { shape: [] }], params: {} },
    { name: "mask of columns", inputs: [flags([7]), { shape: [4, 7] }, { shape: [4, 1] }], params: {} },
    { name: "empty", inputs: [flags([0]), { shape: [0] }, { shape: [1] }], params: {} },
  ],
});

type WhereOp = ReturnType<typeof defineOp<[condition: Tensor, a: Tensor, b: Tensor], object>>;

function flags(shape: number[]): { shape: number[]; dtype: "u32"; below: number } {
  return { shape, dtype: "u32", below: 2 };
}

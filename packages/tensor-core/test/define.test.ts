// Definitions of ops: what the compiler holds a writer to, and operands that are numbers.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  add,
  type Device,
  defineOp,
  divide,
  equal,
  grad,
  greater,
  multiply,
  openDevice,
  scope,
  subtract,
  sum,
  type Tensor,
  where,
} from "../src/index.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe("a definition", () => {
  const call = (a: Tensor, b: Tensor) => ({ inputs: [a, b], params: {} }) as const;
  const common = {
    name: "pair",
    summary: "for this test",
    call,
    infer: ([a]: readonly [Tensor, Tensor]) => [{ shape: a.shape }] as const,
    run: () => {},
    reference: ([a]: readonly [{ shape: readonly number[]; data: Float64Array }, unknown]) => [a] as const,
    cases: [],
  };

  test("a gradient for each input compiles", () => {
    expect(defineOp({ ...common, vjp: ({ cotangents: [g] }) => [g, undefined] }).differentiable).toBe(true);
  });

  test("a missing gradient does not compile", () => {
    // @ts-expect-error: there are two inputs
    expect(defineOp({ ...common, vjp: ({ cotangents: [g] }) => [g] }).differentiable).toBe(true);
  });

  test("an input that the op doesn't have does not compile", () => {
    // @ts-expect-error: there is no third input
    expect(defineOp({ ...common, vjp: ({ inputs: [, , c] }) => [c, c] }).differentiable).toBe(true);
  });

  test("an output that is not inferred does not compile", () => {
    // @ts-expect-error: there is one output
    expect(defineOp({ ...common, reference: ([a]) => [a, a] }).opName).toBe("pair");
  });
});

test("a number is an operand on either side, with its gradient", async () => {
  const values = async (fn: () => Tensor) => {
    const result = scope(fn);
    const read = Array.from(await result.values());
    result.dispose();
    return read;
  };
  using x = device.tensor([1, 2, -4], [3]);
  expect(await values(() => multiply(x, 2))).toEqual([2, 4, -8]);
  expect(await values(() => add(0.5, x))).toEqual([1.5, 2.5, -3.5]);
  expect(await values(() => subtract(1, x))).toEqual([0, -1, 5]);
  expect(await values(() => divide(8, x))).toEqual([8, 4, -2]);
  expect(await values(() => greater(x, 0))).toEqual([1, 1, 0]);
  expect(await values(() => where(greater(x, 0), x, 0))).toEqual([1, 2, 0]);
  expect(await values(() => where(greater(x, 0), 1, -1))).toEqual([1, 1, -1]);
  const { value, gradients } = grad(() => sum(add(divide(8, x), multiply(x, 3))), [x]);
  expect(Array.from(await gradients[0]!.values())).toEqual([-5, 1, 2.5]);
  for (const tensor of [value, ...gradients]) tensor.dispose();
});

test("a number that the tensor's type can't hold, and two numbers, are refused", () => {
  using ids = device.tensor(Uint32Array.of(1, 2), [2]);
  expect(() => equal(ids, -1)).toThrow(/equal: -1 is not a number of a u32 tensor/);
  expect(() => equal(ids, 0.5)).toThrow(/0.5/);
  expect(() => multiply(2, 3)).toThrow(/multiply of two numbers/);
});

// Broadcasting and its gradient over random shapes, against the f64 references.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { add, type Device, multiply, openDevice, TensorError, where } from "../../src/index.ts";
import { checkCase } from "../../src/testing/index.ts";

const RUNS = process.env.IAPO_FULL === "1" ? 100 : 8;
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Two shapes that broadcast: of common lengths, each keeps some of the last and has 1 in place of some. */
const shapePairs = fc.array(fc.constantFrom(1, 2, 3, 4, 8), { maxLength: 4 }).chain((common) => {
  const operand = fc
    .tuple(fc.nat(common.length), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
    .map(([dropped, stretched]) => common.map((n, axis) => (stretched[axis] ? 1 : n)).slice(dropped));
  return fc.tuple(operand, operand);
});

test.each([add, multiply])("$opName over random pairs of shapes", async (op) => {
  await fc.assert(
    fc.asyncProperty(shapePairs, async ([a, b]) => {
      const inputs = [{ shape: a }, { shape: b }];
      await checkCase(device, op, { name: JSON.stringify(inputs), inputs, params: {}, tolerance: 1e-5 });
    }),
    { numRuns: RUNS },
  );
});

test("shapes that do not broadcast are named", () => {
  const a = device.tensor(new Float32Array(6), [2, 3]);
  const b = device.tensor(new Float32Array(4), [4]);
  expect(() => add(a, b)).toThrow(/add: shapes \[2, 3\] and \[4\] do not broadcast/);
  expect(() => where(a, a, a)).toThrow(TensorError);
  const c = device.tensor(new Int32Array(3), [3]);
  expect(() => add(a, c)).toThrow(/add takes f32/);
  c.dispose();
  a.dispose();
  b.dispose();
});

// Tolerances of a penalty: hand values, what must never change, and the advantages that follow.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toleranceSchema } from "../src/config.ts";
import { decoupledAdvantages, type Tolerance, toleratedPenalties } from "../src/math/index.ts";

const counted = (values: readonly number[], tolerance: Tolerance): number[] => [
  ...toleratedPenalties(values, tolerance),
];

describe("by hand", () => {
  test.each<[string, readonly number[], Tolerance, readonly number[]]>([
    ["gate", [0, 0.04, 0.05, 1], { kind: "gate", above: 0.04 }, [0, 0, 1, 1]],
    ["gate of zero: every penalty but 0", [0, 1e-9], { kind: "gate", above: 0 }, [0, 1]],
    ["gap", [0.3, 0, 0.02, 0.08], { kind: "gap", atLeast: 0.05 }, [1, 0, 0, 1]],
    ["gap: one far value does not hide another", [0, 0.07, 1.4], { kind: "gap", atLeast: 0.03 }, [0, 1, 1]],
    ["gap: none is wide", [0, 0.02, 0.04], { kind: "gap", atLeast: 0.03 }, [0, 0, 0]],
    ["gap: all penalties high, and alike", [0.5, 0.5], { kind: "gap", atLeast: 0.03 }, [0, 0]],
    ["gap of a group of one", [0.5], { kind: "gap", atLeast: 0.03 }, [0]],
    ["gap: a dropped response stays one", [Number.NaN, 0.5, 0], { kind: "gap", atLeast: 0.03 }, [Number.NaN, 1, 0]],
    ["gate: a dropped response stays one", [Number.NaN, 0.5], { kind: "gate", above: 0.1 }, [Number.NaN, 1]],
    ["floor", [0, 0.02, 5], { kind: "floor", deviation: 0.05, most: 0.1 }, [0, 0.02, 0.1]],
  ])("%s", (_, values, tolerance, expected) => expect(counted(values, tolerance)).toEqual(expected));
});

const penalties = fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { minLength: 1, maxLength: 8 });

test("what counts keeps the order of the penalties, and no tolerance keeps their bits", () => {
  const tolerances = fc.constantFrom<Tolerance>(
    { kind: "none" },
    { kind: "gate", above: 0.5 },
    { kind: "gap", atLeast: 0.3 },
    { kind: "floor", deviation: 0.1, most: 1 },
  );
  fc.assert(
    fc.property(penalties, tolerances, (values, tolerance) => {
      const found = counted(values, tolerance);
      if (tolerance.kind === "none") expect(found).toEqual(values);
      for (const [i, a] of values.entries()) {
        for (const [k, b] of values.entries()) if (a <= b) expect(found[i]).toBeLessThanOrEqual(found[k] ?? 0);
      }
    }),
  );
});

describe("decoupled advantages", () => {
  const groups = [0, 0, 0, 0, 1, 1, 1, 1];
  // The first group has a fault, the second one differences that mean nothing.
  const values = [0, 0.001, 0.002, 0.3, 0, 0.001, 0.002, 0.002];
  const advantages = (tolerance?: Tolerance): Float64Array =>
    decoupledAdvantages([{ values, weight: -1, tolerance }], groups, { epsilon: 1e-6, whiten: false });
  const largest = (some: Float64Array): number => Math.max(...some.map(Math.abs));

  test("without a tolerance a clean group is driven at full strength; none given, and none by name, are the same bits", () => {
    expect(largest(advantages().subarray(4))).toBeGreaterThan(0.8);
    expect(advantages({ kind: "none" })).toEqual(advantages());
  });

  test.each<Tolerance>([
    { kind: "gate", above: 0.05 },
    { kind: "gap", atLeast: 0.05 },
    { kind: "floor", deviation: 0.05, most: 0.1 },
  ])("$kind: the fault costs, the clean group is left alone", (tolerance) => {
    const found = advantages(tolerance);
    expect(found[3]).toBeLessThan(-0.9);
    expect(largest(found.subarray(4))).toBeLessThan(0.03);
  });
});

test("settings: whole, and refused where a number is missing or makes no sense", () => {
  expect(toleranceSchema.parse({ kind: "gap", atLeast: 0.03 })).toEqual({ kind: "gap", atLeast: 0.03 });
  for (const wrong of [
    { kind: "gap" },
    { kind: "gap", atLeast: 0 },
    { kind: "gate", above: -1 },
    { kind: "floor", deviation: 0.1 },
    { kind: "none", above: 1 },
    { kind: "widest" },
  ])
    expect(toleranceSchema.safeParse(wrong).success).toBe(false);
});

import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { figuresOf, type Measured, rate, reachesGoal } from "../harness/figures.ts";
import { median } from "../harness/measure.ts";
import { roundToBf16 } from "../harness/random.ts";
import type { Case } from "../harness/types.ts";

const of: Case = {
  name: "case",
  unit: "GFLOP/s",
  work: 2e9,
  tolerance: 1e-3,
  goal: { ratioToBestPeer: 4, fractionOfPeak: 0.3 },
};
const library = (name: string, milliseconds: number, error = 0): Measured => ({
  name,
  error,
  timings: [milliseconds, milliseconds * 9, milliseconds / 9].map((wall) => ({
    wall,
    cpu: wall * availableParallelism(),
  })),
});

test("median of odd and even counts", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

test("a rate is work by the median time, by the clock or by CPU time over all cores", () => {
  expect(rate(of, library("x", 100).timings, "wall")).toBeCloseTo(20);
  expect(rate(of, library("x", 100).timings, "cpu")).toBeCloseTo(20);
  expect(rate({ ...of, unit: "steps/s", work: 1 }, [{ wall: 100, cpu: undefined }], "cpu")).toBeCloseTo(10);
});

test("the best peer is the fastest on the adapter whose result is right", () => {
  const peers = [library("slow", 400), library("wrong", 1, 0.1), library("onnxruntime-node", 1)];
  const figures = figuresOf(of, [library("ours", 100), ...peers], 40, "wall");
  expect(figures.ours).toBeCloseTo(20);
  expect(figures.ratioToBestPeer).toBeCloseTo(4);
  expect(figures.fractionOfPeak).toBeCloseTo(0.5);
  expect(figures.peers).toMatchObject({ wrong: null });
  expect(figures.peers["onnxruntime-node"]).toBeCloseTo(2000);
});

test("a row reaches its goal only when it is right and fast enough, as far as that was measured", () => {
  const figures = { ours: 1, peers: {}, ratioToBestPeer: 4, fractionOfPeak: 0.3, correct: true };
  expect(reachesGoal(of, figures)).toBe(true);
  expect(reachesGoal(of, { ...figures, ratioToBestPeer: null, fractionOfPeak: null })).toBe(true);
  expect(reachesGoal(of, { ...figures, correct: false })).toBe(false);
  expect(reachesGoal(of, { ...figures, ratioToBestPeer: 3.9 })).toBe(false);
  expect(reachesGoal(of, { ...figures, fractionOfPeak: 0.29 })).toBe(false);
});

test("rounding to bf16 takes the nearest, ties to even", () => {
  const ulp = 2 ** -7; // of bf16 at 1
  const rounded = roundToBf16(
    Float32Array.of(1 + ulp * 0.49, 1 + ulp * 0.51, 1 + ulp / 2, 1 + ulp * 1.5, -1 - ulp * 0.51),
  );
  expect([...rounded]).toEqual([1, 1 + ulp, 1, 1 + 2 * ulp, -1 - ulp]);
});

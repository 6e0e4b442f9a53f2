// Bootstrap intervals against theory.
import { expect, test } from "vitest";
import { estimate } from "../src/metrics.ts";

const tasks = (count: number, right: number, samples = 1): [number, number][] =>
  Array.from({ length: count }, (_, i) => [i < right ? samples : 0, samples]);

test("an interval has the width of theory, and lies around the value", () => {
  const { value, interval } = estimate(tasks(400, 120), 1, "accuracy");
  const deviation = Math.sqrt((0.3 * 0.7) / 400);
  expect(value).toBe(0.3);
  expect(interval![0]).toBeGreaterThan(0.3 - 2.3 * deviation);
  expect(interval![0]).toBeLessThan(0.3 - 1.7 * deviation);
  expect(interval![1]).toBeLessThan(0.3 + 2.3 * deviation);
  expect(interval![1]).toBeGreaterThan(0.3 + 1.7 * deviation);
});

test("the same seed gives the same interval, another seed another", () => {
  const of = (seed: number) =>
    estimate(
      Array.from({ length: 50 }, (_, i) => [i % 7, 7] as const),
      seed,
      "accuracy",
    ).interval;
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});

test("more responses to the same tasks, all alike, make no interval narrower", () => {
  expect(estimate(tasks(40, 10, 8), 1, "accuracy")).toEqual(estimate(tasks(40, 10), 1, "accuracy"));
});

test("a share of nothing is no number", () => {
  expect(estimate([[0, 0]], 1, "success")).toEqual({ value: null, interval: null });
});

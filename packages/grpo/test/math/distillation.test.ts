// On-policy distillation in f64: gradients by finite differences, and the traps of log-probs as rewards, each as an expectation over all ids,
// so that no sampling noise can hide a bias.
import { describe, expect, test } from "vitest";
import { klEstimator } from "../../src/losses/kl.ts";
import { countedDifference, distilledAdvantages, logitDivergence, topDivergence } from "../../src/math/index.ts";

const VOCABULARY = 7;
/** Deterministic numbers, different enough that nothing cancels by chance. */
const logits = (seed: number): Float64Array =>
  Float64Array.from({ length: VOCABULARY }, (_, i) => 2 * Math.sin(seed + 3 * i * (seed + 1)));
const softmax = (z: Float64Array): Float64Array => {
  const e = z.map((x) => Math.exp(x));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / total);
};
const logSoftmax = (z: Float64Array): Float64Array => softmax(z).map(Math.log);
const [student, teacher] = [logits(1), logits(2)];
const [p, q] = [logSoftmax(student), logSoftmax(teacher)];

/** Of a function, by central differences. */
function slopes(f: (x: Float64Array) => number, x: Float64Array, step = 1e-5): Float64Array {
  return x.map((value, i) => (f(x.with(i, value + step)) - f(x.with(i, value - step))) / (2 * step));
}
function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, digits = 8): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++) expect(found[i]).toBeCloseTo(expected[i]!, digits);
}

describe.each(["forward", "reverse"] as const)("%s", (direction) => {
  test("the divergence is the sum over all ids, 0 of a distribution from itself, and its gradient that by differences", () => {
    const [from, to] = direction === "forward" ? [q, p] : [p, q];
    const expected = from.reduce((sum, logP, id) => sum + Math.exp(logP) * (logP - to[id]!), 0);
    const { value, gradient } = logitDivergence(student, teacher, direction);
    expect(value).toBeCloseTo(expected, 12);
    expectClose(
      gradient,
      slopes((x) => logitDivergence(x, teacher, direction).value, student),
    );
    expect(
      logitDivergence(
        student,
        student.map((x) => x + 3),
        direction,
      ).value,
    ).toBeCloseTo(0, 12);
  });

  test("that of the likeliest ids and all others as one is never larger, and grows with the ids", () => {
    const order = [...q.keys()].sort((a, b) => q[b]! - q[a]!);
    const tops = [1, 2, 4, 6].map((k) => {
      const ids = order.slice(0, k);
      const own = Float64Array.from(ids, (id) => p[id]!);
      const other = Float64Array.from(ids, (id) => q[id]!);
      const { value, gradient } = topDivergence(own, other, direction);
      expectClose(
        gradient,
        slopes((x) => topDivergence(x, other, direction).value, own),
        6,
      );
      return value;
    });
    const whole = logitDivergence(student, teacher, direction).value;
    for (const [i, value] of tops.entries()) expect(value).toBeGreaterThanOrEqual(tops[i - 1] ?? 0);
    expect(tops.at(-1)).toBeCloseTo(whole, 10); // six ids of seven, and the last one
  });

  test("a rest that f32 cannot tell from 0 has neither an infinite value nor a gradient", () => {
    const sure = Float64Array.of(Math.log(1 - 1e-9), Math.log(1e-9));
    const { value, gradient } = topDivergence(sure, Float64Array.of(Math.log(0.6), Math.log(0.4)), direction);
    expect(Number.isFinite(value)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});

/** sum over ids of p R d log p / dz: what a policy gradient with the reward R does on average. */
function policyGradient(reward: (id: number) => number): Float64Array {
  const probabilities = softmax(student);
  const gradient = new Float64Array(VOCABULARY);
  probabilities.forEach((ofId, id) => {
    const r = reward(id);
    probabilities.forEach((other, j) => {
      gradient[j] = gradient[j]! + ofId * r * (Number(j === id) - other);
    });
  });
  return gradient;
}

describe("a log-prob as a reward", () => {
  const settings = { kind: "token", mix: 1, cap: 100, tolerance: 0 } as const;
  const advantages = distilledAdvantages(new Float64Array(VOCABULARY), p, q, settings);

  test("k1 of the sampled token has the gradient of the reverse KL", () => {
    const { gradient } = logitDivergence(student, teacher, "reverse");
    expectClose(
      policyGradient((id) => -advantages[id]!),
      gradient,
      12,
    );
  });

  test("a KL summed over candidates that do not depend on the sampled token has none", () => {
    const candidates = [1, 4, 5];
    const summed = candidates.reduce((sum, id) => sum + Math.exp(p[id]!) * (p[id]! - q[id]!), 0);
    expect(Math.abs(summed)).toBeGreaterThan(0.1);
    expectClose(
      policyGradient(() => summed),
      new Float64Array(VOCABULARY),
      12,
    );
  });

  test("k3 in its place has another gradient: it is biased", () => {
    const { estimate } = klEstimator("k3");
    const { gradient } = logitDivergence(student, teacher, "reverse");
    const ofK3 = policyGradient((id) => estimate(p[id]! - q[id]!)[0]);
    // As an estimate of the value both are unbiased.
    const mean = (f: (d: number) => number): number =>
      p.reduce((sum, logP, id) => sum + Math.exp(logP) * f(logP - q[id]!), 0);
    expect(mean((d) => estimate(d)[0])).toBeCloseTo(
      mean((d) => d),
      10,
    );
    const largest = Math.max(...ofK3.map((value, i) => Math.abs(value - gradient[i]!)));
    expect(largest).toBeGreaterThan(0.1);
  });
});

test("differences are tolerated, then capped, with their sign; rewards have the other share", () => {
  const how = { cap: 2, tolerance: 0.5 };
  const counted = [-0.2, -0.7, -9, -1.5].map((teacherLogProb) => countedDifference(-0.5, teacherLogProb, how));
  expectClose(counted, [-0, 0, 2, 0.5]);
  expect(countedDifference(-0.5, Number.NaN, how)).toBeNaN();
  const mixed = distilledAdvantages([1, -1], [-0.5, -0.5], [-9, -1.5], { kind: "token", mix: 0.25, ...how });
  expectClose(mixed, [0.75 - 0.25 * 2, -0.75 - 0.25 * 0.5]);
  expect(() => distilledAdvantages([1], [-1], [-1, -2], { kind: "token", mix: 1, ...how })).toThrow(
    /the teacher's log-probs/,
  );
});

// Distributions, D, rules and schedules against hand values; the cancellation of lambda in groups of equal outcomes.
import type { ReplayedSample } from "@iapo/rollout-trace";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type IapoSettings, iapoPresets, iapoSettingsSchema } from "../src/config.ts";
import {
  blockMasses,
  callDivergence,
  faultAuc,
  IapoError,
  iapoAdvantage,
  iapoMetrics,
  lambdaAt,
  noCallDivergence,
  recomputeDivergence,
} from "../src/index.ts";
import { madeUpTrace } from "./support/traces.ts";

const scores = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 9, maxLength: 9 });
const settingsOf = (given: object): IapoSettings => iapoSettingsSchema.parse(given);
const normalizers = ["absL1", "relu", "softmax", "softmax_z"] as const;
const divergences = ["kl_student_teacher", "kl_teacher_student", "js", "tv", "l2"] as const;

describe("distributions and divergences", () => {
  test.each(normalizers)("%s sums to 1 and is nowhere 0", (normalize) => {
    fc.assert(
      fc.property(scores, (values) => {
        const masses = blockMasses(values, settingsOf({ normalize }));
        expect(masses.reduce((sum, mass) => sum + mass, 0)).toBeCloseTo(1, 12);
        expect(Math.min(...masses)).toBeGreaterThanOrEqual(1e-3 / 9 - 1e-15);
      }),
    );
  });

  test.each(divergences)("%s: equal scores give exactly 0, others at most the clip", (divergence) => {
    fc.assert(
      fc.property(scores, scores, fc.constantFrom(...normalizers), (student, teacher, normalize) => {
        const settings = settingsOf({ divergence, normalize, maxPenalty: 0.5 });
        expect(callDivergence(student, student, settings)).toBe(0);
        const found = callDivergence(student, teacher, settings);
        expect(found).toBeGreaterThanOrEqual(0);
        expect(found).toBeLessThanOrEqual(0.5);
      }),
    );
  });

  test("scaling all scores changes nothing under absL1: exactly for powers of two, within 1e-12 for others", () => {
    const settings = iapoPresets.paper;
    const normal = fc.array(fc.double({ min: 1e-6, max: 100, noNaN: true }), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(
        normal,
        normal,
        fc.integer({ min: -40, max: 40 }),
        fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
        (s, t, power, factor) => {
          const found = callDivergence(s, t, settings);
          const doubled = s.map((value) => value * 2 ** power);
          expect(callDivergence(doubled, t, settings)).toBe(found);
          const scaled = s.map((value) => -value * factor);
          expect(Math.abs(callDivergence(scaled, t, settings) - found)).toBeLessThan(1e-12);
        },
      ),
    );
  });

  test("KL of two blocks by hand", () => {
    // 3/4, 1/4 against 1/2, 1/2, both mixed with a thousandth of the uniform distribution.
    const [p, q] = [0.999 * 0.75 + 0.0005, 0.999 * 0.25 + 0.0005];
    const expected = p * Math.log(p / 0.5) + q * Math.log(q / 0.5);
    expect(callDivergence([3, -1], [2, 2], iapoPresets.paper)).toBeCloseTo(expected, 14);
  });

  test("prompts of other blocks cannot be compared", () => {
    expect(() => callDivergence([1, 2], [1, 2, 3], iapoPresets.paper)).toThrow(IapoError);
  });
});

test("responses without a call", () => {
  expect(noCallDivergence("lnK", 9, [0.5])).toBe(Math.log(9));
  expect(noCallDivergence(1.25, 9, [0.5])).toBe(1.25);
  expect(noCallDivergence("zero", 9, [0.5])).toBe(0);
  expect(noCallDivergence("group_max", 9, [0.5, 0.75, 0.1])).toBe(0.75);
  expect(noCallDivergence("group_max", 9, [])).toBe(Math.log(9));
  expect(noCallDivergence("turn1_attribution", 9, [0.5])).toBe(Math.log(9));
});

describe("lambda", () => {
  const at = (lambdaSchedule: object, step: number): number =>
    lambdaAt(settingsOf({ lambda: 0.1, lambdaSchedule, coldStartSteps: 20 }), step);

  test("is 0 in the cold start, and begins at its end", () => {
    for (const kind of ["exp", "linear", "inverse", "cosine", "constant"]) {
      expect([at({ kind }, 0), at({ kind }, 19), at({ kind }, 20)]).toEqual([0, 0, 0.1]);
    }
  });

  // The table of docs/method.md F11.
  test.each([
    ["exp", [0.061, 0.037, 0.022, 0.014]],
    ["inverse", [0.067, 0.05, 0.04, 0.033]],
    ["linear", [0.05, 0, 0, 0]],
    ["cosine", [0.05, 0, 0, 0]],
  ])("%s at 50, 100, 150 and 200 steps", (kind, expected) => {
    expect([50, 100, 150, 200].map((t) => Number(at({ kind }, 20 + t).toFixed(3)))).toEqual(expected);
  });

  test("has a floor; a constant one stays", () => {
    expect(at({ kind: "linear", floor: 0.02 }, 220)).toBe(0.02);
    expect(at({ kind: "constant" }, 220)).toBe(0.1);
  });
});

/** Samples of one step with these outcomes and D, group by group of four. */
function samplesOf(settings: IapoSettings, outcomes: readonly number[], found: readonly number[]): ReplayedSample[] {
  const lambda = lambdaAt(settings, 0);
  return outcomes.map((outcome, i) => {
    const trace = madeUpTrace({ group: Math.floor(i / 4), sample: i % 4, rewards: { outcome } });
    const penalty = lambda * found[i]!;
    const evidence = { lambda: [lambda], divergence: [found[i]!] };
    return { trace, rewards: trace.rewards, penalty, shapedReward: outcome - penalty, evidence };
  });
}

describe("normalization", () => {
  const options = { kind: "grpo", scale: "group", epsilon: 1e-6 } as const;
  // group_max hands the logged D on.
  const settings = (given: object): IapoSettings =>
    settingsOf({ noCallPenalty: "group_max", coldStartSteps: 0, ...given });
  const found = [0.2, 0.5, 0.1, 0.9];
  const advantagesOf = (given: object, outcomes: readonly number[], d = found): number[] => {
    const all = settings(given);
    return iapoAdvantage(all, options)(samplesOf(all, outcomes, d)).map(([first]) => first!);
  };

  test("joint: lambda cancels where outcomes are equal, decoupled: it counts (docs/method.md 0.3)", () => {
    const equal = [1, 1, 1, 1];
    const advantages = (normalization: string): number[][] =>
      [0.1, 0.01, 0.001].map((lambda) => advantagesOf({ normalization, lambda }, equal, [0.2, 2.5, 0.1, 4]));
    const [joint, decoupled] = [advantages("joint"), advantages("decoupled")];
    for (const [i, value] of joint[0]!.entries()) {
      expect(Math.abs(joint[1]![i]! - value)).toBeLessThan(1e-3);
      expect(Math.abs(joint[2]![i]! - value)).toBeLessThan(1e-3);
      expect(decoupled[1]![i]).toBeCloseTo(decoupled[0]![i]! / 10, 12);
      expect(decoupled[2]![i]).toBeCloseTo(decoupled[0]![i]! / 100, 12);
    }
    expect(joint[0]![2]).toBeGreaterThan(0.5);
  });

  test("joint: in a mixed group lambda counts", () => {
    const mixed = [1, 0, 1, 0];
    const [strong, weak] = [0.5, 0.01].map((lambda) => advantagesOf({ normalization: "joint", lambda }, mixed));
    expect(Math.abs(strong![3]! - weak![3]!)).toBeGreaterThan(0.1);
  });

  test("each by hand: outcomes 1 0 1 0 and D .2 .5 .1 .9, lambda .5", () => {
    const outcomes = [1, 0, 1, 0];
    const deviation = (values: readonly number[]): number => {
      const mean = values.reduce((sum, value) => sum + value) / 4;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3);
    };
    const centered = (values: readonly number[]): number[] =>
      values.map((value) => value - values.reduce((sum, other) => sum + other) / 4);
    const normalized = (values: readonly number[]): number[] =>
      centered(values).map((value) => value / (deviation(values) + 1e-6));
    const totals = outcomes.map((outcome, i) => outcome - 0.5 * found[i]!);
    const expected = {
      joint: normalized(totals),
      decoupled: normalized(outcomes).map((value, i) => value - 0.5 * normalized(found)[i]!),
      outcome_std: centered(totals).map((value) => value / (deviation(outcomes) + 1e-6)),
      none: centered(totals),
    };
    for (const [normalization, values] of Object.entries(expected)) {
      const advantages = advantagesOf({ normalization, lambda: 0.5 }, outcomes);
      for (const [i, value] of values.entries()) expect(advantages[i]).toBeCloseTo(value, 12);
    }
  });

  test("other penalties count as outcome; a dropped sample takes no part", () => {
    const all = settings({ normalization: "decoupled", lambda: 0.5 });
    const samples = samplesOf(all, [1, 1, 0, 0], found);
    const late = samples.map((sample) => {
      const more = sample.trace.sample === 0 ? 1 : 0;
      return { ...sample, penalty: sample.penalty + more, shapedReward: sample.shapedReward - more };
    });
    const advantage = iapoAdvantage(all, options);
    const same = advantage(samplesOf(all, [0, 1, 0, 0], found));
    expect(advantage(late).flat()).toEqual(same.flat().map((value) => expect.closeTo(value, 12)));
    const dropped = { ...samples[3]!, rewards: {}, penalty: 0, shapedReward: Number.NaN, evidence: undefined };
    const without = advantage([...samples.slice(0, 3), dropped]);
    expect(without[3]).toEqual([0, 0]);
    expect(without.slice(0, 3)).toEqual(advantage(samples.slice(0, 3)));
  });
});

test("decoupled with a tolerance: a clean group has no penalty left, one with a fault keeps it", () => {
  const tolerance = { kind: "gap", atLeast: 0.05 };
  const given = { noCallPenalty: "group_max", coldStartSteps: 0, normalization: "decoupled", lambda: 0.5 };
  const all = settingsOf({ ...given, tolerance });
  const found = [0, 0.001, 0.002, 0.002, 0, 0.001, 0.2, 0.4];
  const samples = samplesOf(all, new Array(8).fill(1), found);
  const advantages = iapoAdvantage(all, { kind: "grpo", scale: "group", epsilon: 1e-6 })(samples).map(
    ([first]) => first,
  );
  const half = Math.sqrt(1 / 3);
  expect(advantages.slice(0, 4)).toEqual([0, 0, 0, 0].map((value) => expect.closeTo(value, 12)));
  expect(advantages.slice(4)).toEqual(
    [1, 1, -1, -1].map((sign) => expect.closeTo((sign * 0.5 * 0.5) / (half + 1e-6), 9)),
  );
});

test("how often a fault costs more than a right call of its group", () => {
  const call = (group: number, isFault: boolean, value: number) => ({ group, isFault, value });
  expect(faultAuc([])).toBeUndefined();
  expect(faultAuc([call(0, true, 1), call(1, false, 0)])).toBeUndefined();
  expect(faultAuc([call(0, true, 1), call(0, false, 0), call(0, false, 2), call(1, true, 1), call(1, false, 1)])).toBe(
    (1 + 0 + 0.5) / 3,
  );
});

test("the area is a metric where the environment judged calls, also of the paper's comparison", () => {
  const settings = settingsOf({ coldStartSteps: 0 });
  const sampleOf = (sample: number, value: number) => ({
    ...{ group: 0, sample, penalty: 0, shapedReward: 0, advantages: [0] },
    evidence: { lambda: [0.1], divergence: [value], student_scores: [1], teacher_scores: [1] },
  });
  const log = { samples: [0.3, 0.1, 0.2].map((value, sample) => sampleOf(sample, value)) };
  const tracesOf = (misuses: readonly (number | undefined)[], names: readonly number[] = [1, 1, 1]) =>
    misuses.map((misuse, sample) => {
      const judged = misuse !== undefined && { tool_misuse: misuse, tool_names: names[sample]! };
      return madeUpTrace({ sample, rewards: { outcome: 1, ...judged } });
    });
  expect(iapoMetrics({ traces: tracesOf([1, 0, 0]), log }, 0, settings)["iapo/auc"]).toBe(1);
  expect(iapoMetrics({ traces: tracesOf([0, 1, 0]), log }, 0, settings)["iapo/auc"]).toBe(0);
  // A call with wrong names is neither.
  expect(iapoMetrics({ traces: tracesOf([0, 1, 0], [0, 1, 1]), log }, 0, settings)["iapo/auc"]).toBe(0);
  expect(iapoMetrics({ traces: tracesOf([0, 0, 1], [0, 1, 1]), log }, 0, settings)["iapo/auc"]).toBe(1);
  expect(iapoMetrics({ traces: tracesOf([1, undefined, undefined]), log }, 0, settings)).not.toHaveProperty("iapo/auc");
});

test("D recomputed from the evidence, and metrics from the log", () => {
  const trace = madeUpTrace();
  const settings = settingsOf({ maxPenalty: 0.2, coldStartSteps: 0 });
  const evidence = { lambda: [0.1], divergence: [0.2], student_scores: [3], teacher_scores: [1] } as const;
  // One block: both distributions are 1.
  expect(recomputeDivergence(trace, evidence, settings)).toBe(0);
  const traces = [trace, madeUpTrace({ sample: 1, status: "no_tool" }), madeUpTrace({ group: 1, rewards: {} })];
  const log = {
    samples: [
      { group: 0, sample: 0, penalty: 0.02, shapedReward: 0.98, advantages: [0], evidence },
      {
        group: 0,
        sample: 1,
        penalty: 0.01,
        shapedReward: 0,
        advantages: [0],
        evidence: { lambda: [0.1], divergence: [0.1] },
      },
      { group: 1, sample: 0, penalty: 0, shapedReward: null, advantages: [0] },
    ],
  };
  const metrics = iapoMetrics({ traces, log }, 0, settings);
  expect(metrics).toEqual({
    "iapo/lambda": 0.1,
    "iapo/homogeneous_group_frac": 1,
    "iapo/penalty/mean": expect.closeTo(0.15, 12),
    "iapo/penalty/max": 0.2,
    "iapo/kl_clipped_frac": 1,
    "iapo/no_call_frac": 0.5,
    "iapo/block_mass/query/student": 1,
    "iapo/block_mass/query/teacher": 1,
  });
});

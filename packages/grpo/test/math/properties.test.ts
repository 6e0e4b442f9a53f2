/** What must hold for any numbers: gradients by finite differences, pieces of a batch, and properties of advantages. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advantageOptionsSchema, lossOptionsSchema } from "../../src/config.ts";
import { GrpoError } from "../../src/error.ts";
import {
  batchCounts,
  computeLoss,
  countGroups,
  decoupledAdvantages,
  groupAdvantages,
  informativeGroups,
  type LossInputs,
  type LossKind,
  leaveOneOutAdvantages,
  lossKinds,
  lossPreset,
  overlongPenalty,
  penalizeKl,
  type TokenBatch,
  turnMask,
} from "../../src/math/index.ts";
import { relativeError } from "./oracle.ts";

const runs = process.env.IAPO_FULL === "1" ? 2000 : 100;
const logProb = fc.double({ min: -4, max: -0.01, noNaN: true });
const step = fc.double({ min: -0.6, max: 0.6, noNaN: true });

/** Responses of 0 to 5 tokens, with their log-probs under four policies. */
const inputs: fc.Arbitrary<LossInputs> = fc
  .array(
    fc.record({
      advantage: fc.double({ min: -2, max: 2, noNaN: true }),
      tokens: fc.array(fc.tuple(logProb, step, step, step, fc.integer({ min: 0, max: 3 })), { maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((rows) => {
    const tokens = rows.flatMap((row) => row.tokens);
    const offsets = [0];
    for (const row of rows) offsets.push(offsets.at(-1)! + row.tokens.length);
    return {
      batch: {
        offsets,
        mask: tokens.map((token) => Math.min(token[4], 1)),
        logProbs: tokens.map((token) => token[0]),
        oldLogProbs: tokens.map((token) => token[0] + token[1]),
      },
      advantages: rows.flatMap((row) => row.tokens.map(() => row.advantage)),
      referenceLogProbs: tokens.map((token) => token[0] + token[2]),
      rolloutLogProbs: tokens.map((token) => token[0] + token[1] + token[3] / 10),
    };
  });

const optionsOf = (kind: LossKind) =>
  lossOptionsSchema.parse({
    kind,
    clip: { low: 0.2, high: 0.28 },
    constantLength: 7,
    kl: {},
    importance: { level: "sequence" },
  });

describe.each(lossKinds)("loss %s", (kind) => {
  const options = optionsOf(kind);

  test("pieces of a mini-batch add up to it", () => {
    fc.assert(
      fc.property(inputs, (given) => {
        const counts = batchCounts(given.batch);
        fc.pre(counts.tokens > 0);
        const whole = computeLoss(given, options);
        let loss = 0;
        const gradient: number[] = [];
        for (let row = 0; row + 1 < given.batch.offsets.length; row++) {
          const part = computeLoss({ ...rowOf(given, row), counts }, options);
          loss += part.loss;
          gradient.push(...part.gradient);
        }
        expect(Math.abs(loss - whole.loss)).toBeLessThan(1e-12);
        expect(relativeError(gradient, whole.gradient)).toBeLessThan(1e-12);
      }),
      { numRuns: runs },
    );
  });
});

// CISPO holds its factor fixed, so its gradient is no slope: it has a test of its own
test.each(lossKinds.filter((kind) => kind !== "cispo"))("the gradient of %s is the slope of its loss", (kind) => {
  const options = optionsOf(kind);
  fc.assert(
    fc.property(inputs, (given) => {
      const { gradient } = computeLoss(given, options);
      const at = (token: number, by: number): number => {
        const logProbs = Array.from(given.batch.logProbs, (value, index) => (index === token ? value + by : value));
        return computeLoss({ ...given, batch: { ...given.batch, logProbs } }, options).loss;
      };
      for (let token = 0; token < gradient.length; token++) {
        const right = (at(token, 1e-6) - at(token, 0)) / 1e-6;
        const left = (at(token, 0) - at(token, -1e-6)) / 1e-6;
        if (Math.abs(right - left) > 1e-4) continue; // a kink of the clip
        expect(Math.abs((right + left) / 2 - gradient[token]!)).toBeLessThan(1e-4);
      }
    }),
    { numRuns: runs },
  );
});

function rowOf(given: LossInputs, row: number): LossInputs {
  const [start, end] = [given.batch.offsets[row]!, given.batch.offsets[row + 1]!];
  const cut = (values: ArrayLike<number>): number[] => Array.from(values).slice(start, end);
  const batch: TokenBatch = {
    offsets: [0, end - start],
    mask: cut(given.batch.mask),
    logProbs: cut(given.batch.logProbs),
    oldLogProbs: cut(given.batch.oldLogProbs),
  };
  return {
    batch,
    advantages: cut(given.advantages),
    referenceLogProbs: cut(given.referenceLogProbs!),
    rolloutLogProbs: cut(given.rolloutLogProbs!),
  };
}

test("CISPO's gradient is -clip(rho) A of the token, held fixed", () => {
  const batch: TokenBatch = { offsets: [0, 2], mask: [1, 1], logProbs: [-1, -2], oldLogProbs: [-1.5, -2] };
  const { gradient } = computeLoss({ batch, advantages: [2, -1] }, optionsOfPlain("cispo"));
  expect(gradient[0]).toBeCloseTo((-2 * 1.2) / 2, 12);
  expect(gradient[1]).toBeCloseTo(1 / 2, 12);
});

function optionsOfPlain(kind: LossKind) {
  return lossOptionsSchema.parse({ kind });
}

describe("advantages", () => {
  const rewards = fc.array(
    fc.integer({ min: -30, max: 30 }).map((value) => value / 8),
    { minLength: 1, maxLength: 12 },
  );

  test("sum to zero in each group, and do not change with a shift of a group's rewards", () => {
    fc.assert(
      fc.property(rewards, fc.double({ min: -5, max: 5, noNaN: true }), (values, shift) => {
        const groups = values.map((_, row) => row % 3);
        const advantages = groupAdvantages(values, groups, { scale: "none", epsilon: 0 });
        const moved = groupAdvantages(
          values.map((value, row) => (groups[row] === 1 ? value + shift : value)),
          groups,
          { scale: "none", epsilon: 0 },
        );
        for (const group of [0, 1, 2]) {
          const sum = advantages.reduce((total, value, row) => total + (groups[row] === group ? value : 0), 0);
          expect(Math.abs(sum)).toBeLessThan(1e-12);
        }
        expect(relativeError(moved, advantages)).toBeLessThan(1e-9);
      }),
      { numRuns: runs },
    );
  });

  test("lambda cancels in a group of equal outcomes when scaled by the group, but not when parts are decoupled", () => {
    const outcome = [1, 1, 1, 1];
    const penalty = [0.3, 1.2, 0.1, 0.4];
    const groups = [0, 0, 0, 0];
    const joint = (lambda: number) =>
      groupAdvantages(
        outcome.map((value, row) => value - lambda * penalty[row]!),
        groups,
        { scale: "group", epsilon: 0 },
      );
    const decoupled = (lambda: number) =>
      decoupledAdvantages(
        [
          { values: outcome, weight: 1 },
          { values: penalty, weight: -lambda },
        ],
        groups,
        { epsilon: 0, whiten: false },
      );
    const byOutcome = (lambda: number) =>
      groupAdvantages(
        outcome.map((value, row) => value - lambda * penalty[row]!),
        groups,
        { scale: "group", epsilon: 0, spreadOf: outcome },
      );
    expect(relativeError(joint(0.1), joint(0.001))).toBeLessThan(1e-9);
    expect(
      relativeError(
        decoupled(0.1),
        decoupled(0.001).map((value) => 100 * value),
      ),
    ).toBeLessThan(1e-9);
    expect(
      relativeError(
        byOutcome(0.1),
        byOutcome(0.001).map((value) => 100 * value),
      ),
    ).toBeLessThan(1e-9);
  });

  test("groups of equal rewards are exactly 0 and counted; lone and unscored responses get 0", () => {
    const values = [0.1, 0.1, 0.1, 0.2, 0.7, 5, Number.NaN, 2];
    const groups = [7, 7, 7, 3, 3, 9, 4, 4];
    expect([...groupAdvantages(values, groups, { scale: "group", epsilon: 1e-6 })].map((value) => value !== 0)).toEqual(
      [false, false, false, true, true, false, false, false],
    );
    const leftOut = leaveOneOutAdvantages(values, groups);
    expect(leftOut[3]).toBeCloseTo(-0.5, 12);
    expect(leftOut[4]).toBeCloseTo(0.5, 12);
    expect(countGroups(values, groups)).toEqual({ groups: 4, homogeneous: 3 });
    expect([...informativeGroups(values, groups)]).toEqual([0, 0, 0, 1, 1, 0, 0, 0]);
  });
});

test("overlong responses: nothing, then a line down to -1, then -1", () => {
  const options = { maximum: 100, buffer: 20 };
  expect([10, 80, 90, 100, 500].map((length) => overlongPenalty(length, options))).toEqual([0, 0, -0.5, -1, -1]);
  expect(() => overlongPenalty(1, { maximum: 10, buffer: 11 })).toThrow(GrpoError);
});

test("KL in the reward takes the sum over the response's tokens off", () => {
  const batch: TokenBatch = { offsets: [0, 2, 3], mask: [1, 1, 0], logProbs: [0, 0, 0], oldLogProbs: [-1, -2, -3] };
  const shaped = penalizeKl([1, 1], batch, [-1.5, -1, 9], { estimator: "k1", coefficient: 0.1 });
  expect([...shaped].map((value) => Number(value.toFixed(12)))).toEqual([1.05, 1]);
});

test("final_only keeps the last turn of each response", () => {
  const batch = { offsets: [0, 4, 6, 6], mask: [1, 1, 1, 0, 1, 1] };
  const turns = [0, 0, 1, 1, 0, 0];
  expect([...turnMask("all", batch, turns)]).toEqual([1, 1, 1, 0, 1, 1]);
  expect([...turnMask("final_only", batch, turns)]).toEqual([0, 0, 1, 0, 1, 1]);
});

describe("errors", () => {
  const batch: TokenBatch = { offsets: [0, 2], mask: [1, 1], logProbs: [-1, -2], oldLogProbs: [-1, -2] };

  test.each([
    [{ ...batch, offsets: [0, 1] }, "shape"],
    [{ ...batch, offsets: [0, 3, 2] }, "shape"],
    [{ ...batch, offsets: [] }, "shape"],
    [{ ...batch, mask: [1] }, "shape"],
  ] as const)("arrays that disagree: %o", (wrong, code) => {
    expect(() => computeLoss({ batch: wrong, advantages: [1, 1] }, lossPreset("grpo"))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test("missing inputs are named", () => {
    const withKl = lossOptionsSchema.parse({ kl: {} });
    expect(() => computeLoss({ batch, advantages: [1, 1] }, withKl)).toThrow(/referenceLogProbs/);
    expect(() => computeLoss({ batch, advantages: [1, 1] }, lossPreset("dr_grpo"))).toThrow(/constantLength/);
  });

  test("configuration is strict and fills in what was published", () => {
    expect(lossOptionsSchema.parse({})).toEqual(lossPreset("grpo"));
    expect(lossOptionsSchema.parse({ kind: "dapo", dualClip: null }).dualClip).toBeUndefined();
    expect(lossOptionsSchema.safeParse({ kind: "dapo", cilp: {} }).success).toBe(false);
    expect(advantageOptionsSchema.parse({})).toEqual({ kind: "grpo", scale: "group", epsilon: 1e-6 });
  });
});

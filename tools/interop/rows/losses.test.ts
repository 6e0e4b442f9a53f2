// Losses, their gradients, advantages and estimators of KL: ours in f64 against TRL and verl as they are installed, on random batches.
import { groupAdvantages, klTerms, policyLoss, spreadOverTokens } from "@iapo/grpo/math";
import { seededRandom } from "@iapo/tensor-core/testing";
import { beforeAll, expect, test } from "vitest";
import { type OracleCase, relativeError } from "../../../packages/grpo/test/math/oracle.ts";
import { advantageVariants, klVariants, lossVariants } from "../../../packages/grpo/test/math/variants.ts";
import { figure, runPython } from "../python.ts";

interface WithGradient {
  readonly loss: number;
  readonly gradient: readonly number[];
}

interface Answer {
  readonly advantages: Readonly<Record<string, readonly number[]>>;
  readonly losses: Readonly<Record<string, WithGradient>>;
  readonly kl: Readonly<Record<string, WithGradient>>;
}

const BATCHES = 50;
const TOLERANCE = 1e-5;

/** Groups of 4; ratios out to e^2, holes in the masks, a group whose rewards are equal. */
function randomCase(seed: number): OracleCase {
  const random = seededRandom(`interop ${seed}`);
  const [rows, columns] = [8, 4 + (seed % 9)];
  const values = (make: (i: number) => number) => Float64Array.from({ length: rows * columns }, (_, i) => make(i));
  const logProbs = values(() => -3 * random());
  const near = (spread: number) => values((i) => logProbs[i]! + spread * (random() - 0.5));
  const mask = Uint8Array.from({ length: rows * columns }, (_, i) => Number(i % columns === 0 || random() < 0.8));
  const rewards = Float64Array.from({ length: rows }, (_, row) =>
    seed % 5 === 0 && row < 4 ? 1 : Math.round(4 * random()) / 4,
  );
  return {
    name: `random ${seed}`,
    rows,
    columns,
    groups: Int32Array.from({ length: rows }, (_, row) => row >> 2),
    batch: {
      offsets: Int32Array.from({ length: rows + 1 }, (_, row) => row * columns),
      mask,
      logProbs,
      oldLogProbs: near(seed % 4 === 0 ? 4 : 0.6),
    },
    reference: near(1),
    rollout: near(0.3),
    rewards,
    secondReward: rewards,
    ...{ advantages: {}, importance: {}, rejections: {}, kl: {}, losses: {} },
  };
}

const cases = Array.from({ length: BATCHES }, (_, seed) => randomCase(seed));
let answers: readonly Answer[];

beforeAll(async () => {
  const rowsOf = ({ columns }: OracleCase, values: ArrayLike<number>) =>
    Array.from({ length: values.length / columns }, (_, row) =>
      Array.from(values).slice(row * columns, (row + 1) * columns),
    );
  answers = await runPython(
    "losses",
    cases.map((one) => ({
      logProbs: rowsOf(one, one.batch.logProbs),
      oldLogProbs: rowsOf(one, one.batch.oldLogProbs),
      reference: rowsOf(one, one.reference),
      rollout: rowsOf(one, one.rollout),
      mask: rowsOf(one, one.batch.mask),
      rewards: [...one.rewards],
      groups: [...one.groups],
      // TRL's trainer makes its advantages amid its rollouts: they cannot be asked for
      trl: Object.fromEntries(["trl.group", "trl.none"].map((name) => [name, [...advantageVariants[name]!(one)]])),
    })),
  );
});

/** The largest error over all batches of what `errorsOf` compares. */
function largest(errorsOf: (one: OracleCase, answer: Answer) => number[]): number {
  return Math.max(...cases.flatMap((one, i) => errorsOf(one, answers[i]!)));
}

test("advantages of verl", () => {
  const names = Object.keys(answers[0]!.advantages);
  expect(names).toHaveLength(3);
  const error = largest((one, { advantages }) =>
    names.map((name) => relativeError(advantageVariants[name]!(one), advantages[name]!)),
  );
  figure("verl advantages", error);
  expect(error).toBeLessThan(TOLERANCE);
  // a group of equal rewards has none
  expect([...groupAdvantages([1, 1], Int32Array.of(0, 0), { scale: "group", epsilon: 1e-6 })]).toEqual([0, 0]);
});

test("KL estimators of verl, with gradients", () => {
  const names = Object.keys(answers[0]!.kl);
  expect(names).toHaveLength(6);
  const error = largest(({ batch, reference }, { kl }) =>
    names.flatMap((name) => {
      const terms = klTerms(klVariants[name]!, batch.logProbs, reference);
      const none = { loss: new Float64Array(batch.mask.length), derivative: new Float64Array(batch.mask.length) };
      const ours = policyLoss({
        batch,
        policy: none,
        aggregation: { kind: "token" },
        kl: { terms, coefficient: 1 },
      });
      return [relativeError([ours.loss], [kl[name]!.loss]), relativeError(ours.gradient, kl[name]!.gradient)];
    }),
  );
  figure("verl KL", error);
  expect(error).toBeLessThan(TOLERANCE);
});

test.each(["trl", "verl"])("losses of %s, with gradients", (library) => {
  const names = Object.keys(answers[0]!.losses).filter((name) => name.startsWith(`${library}.`));
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const { advantages: advantagesOf = advantageVariants["verl.grpo"]!, ...parts } = lossVariants[name]!;
    const error = largest((one, { losses }) => {
      const { batch } = one;
      const advantages = spreadOverTokens(advantagesOf(one), batch.offsets);
      const ours = policyLoss({
        batch,
        policy: parts.terms(batch, advantages, one),
        aggregation: parts.aggregation(one),
        weights: parts.weights?.(batch, one, advantages),
        kl: parts.kl?.(batch, one),
      });
      const { loss, gradient } = losses[name]!;
      // a loss near 0 is a difference of large terms: it is held against those
      const scale = Math.max(Math.abs(loss), ...gradient.map(Math.abs));
      return [Math.abs(ours.loss - loss) / scale, relativeError(ours.gradient, gradient)];
    });
    figure(name, error);
    expect(error, name).toBeLessThan(TOLERANCE);
  }
});

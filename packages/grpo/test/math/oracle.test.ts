/** Every variant of the oracle: advantages, importance weights, rejection masks, KL, losses and gradients of the published codes. */
import { describe, expect, test } from "vitest";
import {
  batchCounts,
  importanceWeights,
  klTerms,
  policyLoss,
  ratioMetrics,
  rejectionMask,
  spreadOverTokens,
  type TokenBatch,
  type TokenTerms,
} from "../../src/math/index.ts";
import { oracleCases, relativeError } from "./oracle.ts";
import { advantageVariants, importanceVariants, klVariants, lossVariants, rejectionVariants } from "./variants.ts";

describe.each(oracleCases.map((oracle) => [oracle.name, oracle] as const))("%s", (name, oracle) => {
  const tolerance = name === "extreme" ? 1e-4 : 1e-5;

  test.each(Object.keys(oracle.advantages))("advantages %s", (variant) => {
    expect(relativeError(advantageVariants[variant]!(oracle), oracle.advantages[variant]!)).toBeLessThan(1e-7);
  });

  test.each(Object.keys(oracle.importance))("importance weights %s", (variant) => {
    const actual = importanceWeights(oracle.batch, oracle.rollout, importanceVariants[variant]!);
    expect(relativeError(actual, oracle.importance[variant]!)).toBeLessThan(tolerance);
  });

  test.each(Object.keys(oracle.rejections))("rejection %s", (variant) => {
    expect(rejectionMask(oracle.batch, oracle.rollout, rejectionVariants[variant]!)).toEqual(
      oracle.rejections[variant],
    );
  });

  test.each(Object.keys(oracle.kl))("KL %s", (variant) => {
    const { batch, reference } = oracle;
    const expected = oracle.kl[variant]!;
    const terms = klTerms(klVariants[variant]!, batch.logProbs, reference);
    const zero: TokenTerms = {
      loss: new Float64Array(batch.mask.length),
      derivative: new Float64Array(batch.mask.length),
    };
    const actual = policyLoss({ batch, policy: zero, aggregation: { kind: "token" }, kl: { terms, coefficient: 1 } });
    const counted = terms.loss.map((value, token) => value * batch.mask[token]!);
    expect(relativeError(counted, expected.perToken)).toBeLessThan(tolerance);
    expect(relativeError([actual.loss], [expected.loss])).toBeLessThan(tolerance);
    expect(relativeError(actual.gradient, expected.gradient)).toBeLessThan(tolerance);
  });

  test.each(Object.keys(oracle.losses))("loss %s", (variant) => {
    const { advantages: advantagesOf = advantageVariants["verl.grpo"]!, ...parts } = lossVariants[variant]!;
    const expected = oracle.losses[variant]!;
    const batch: TokenBatch = { ...oracle.batch, mask: parts.mask?.(oracle) ?? oracle.batch.mask };
    const advantages = spreadOverTokens(advantagesOf(oracle), batch.offsets);
    const actual = policyLoss({
      batch,
      policy: parts.terms(batch, advantages, oracle),
      aggregation: parts.aggregation(oracle),
      weights: parts.weights?.(batch, oracle, advantages),
      kl: parts.kl?.(batch, oracle),
    });
    expect(relativeError([actual.loss], [expected.loss])).toBeLessThan(tolerance);
    expect(relativeError(actual.gradient, expected.gradient)).toBeLessThan(tolerance);
    if (parts.metrics !== undefined && expected.metrics !== undefined) {
      const { clipFraction, approximateKl, dualClipFraction } = ratioMetrics(batch, advantages, ...parts.metrics);
      const [expectedClip, expectedKl, expectedDual] = expected.metrics;
      expect(relativeError([clipFraction, dualClipFraction], [expectedClip, expectedDual])).toBeLessThan(tolerance);
      // verl cuts log-ratios at 20 before this mean, which matters only in the extreme case
      if (name !== "extreme") expect(relativeError([approximateKl], [expectedKl])).toBeLessThan(tolerance);
    }
  });

  test("no variant of the oracle is left out, and the batch counts its tokens", () => {
    expect(Object.keys(oracle.losses).filter((variant) => !(variant in lossVariants))).toEqual([]);
    expect(batchCounts(oracle.batch).tokens).toBe(
      Uint8Array.from(oracle.batch.mask).filter((value) => value > 0).length,
    );
  });
});

// The nearest word.
import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearest } from "../src/index.ts";

test("is a misspelling's or a case's distance away, else there is none", () => {
  expect(nearest("learning_rate", ["learningRate", "loss"])).toBe("learningRate");
  expect(nearest("temprature", ["temperature", "topP"])).toBe("temperature");
  expect(nearest("qqq", ["temperature", "topP"])).toBeUndefined();
  expect(nearest("temperature".repeat(1000), ["temperature"])).toBeUndefined();
});

test("editDistance is symmetric, 0 for equal words only, and an end that both have adds nothing", () => {
  const word = fc.string({ maxLength: 6 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a + c, b + c)).toBeLessThanOrEqual(editDistance(a, b));
    }),
    { numRuns: 100, seed: 1 },
  );
  expect(editDistance("ab", "ba")).toBe(1);
});

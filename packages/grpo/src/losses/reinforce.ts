// REINFORCE: the plain policy gradient.
import { defineLoss } from "./define.ts";

/** The plain policy gradient: exact for the first mini-batch of a step, without a correction from the second on. */
export const reinforce = defineLoss({
  kind: "reinforce",
  formula: "`-A log pi`",
  source: "Williams 1992",
  preset: { aggregation: "token" },
  level: "token",
  term: ({ logProb, advantage }) => [-advantage * logProb, -advantage],
  tensors: ({ logProb, advantages }, _settings, { multiply, negate }) => multiply(negate(advantages), logProb),
});

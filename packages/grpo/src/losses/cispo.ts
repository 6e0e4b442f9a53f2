// CISPO: the clipped ratio is a constant factor of the policy gradient.
import { maximumLogRatio } from "../math/ratios.ts";
import { defineLoss } from "./define.ts";
import { detached, ratioOf } from "./tensor-ops.ts";

/** A clipped token keeps its gradient. */
export const cispo = defineLoss({
  kind: "cispo",
  formula: "`-sg[clip(rho)] A log pi`",
  source: "MiniMax-M1 2025 (docs/method.md D.3)",
  preset: { clip: { low: 10, high: 0.2 }, aggregation: "token" },
  level: "token",

  term({ logRatio, logProb, advantage }, { clip: { low, high } }) {
    const ratio = Math.exp(Math.min(logRatio, maximumLogRatio));
    const factor = -advantage * Math.min(Math.max(ratio, 1 - low), 1 + high);
    return [factor * logProb, factor];
  },

  tensors({ logRatio, logProb, advantages }, { clip: { low, high } }, ops) {
    const { clamp, multiply, negate } = ops;
    const ratio = detached(clamp(ratioOf(logRatio, ops), 1 - low, 1 + high), ops);
    return multiply(multiply(negate(advantages), ratio), logProb);
  },
});

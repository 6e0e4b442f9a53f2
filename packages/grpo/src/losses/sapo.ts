// SAPO: a smooth gate for the clip.
import { maximumLogRatio } from "../math/ratios.ts";
import { defineLoss } from "./define.ts";
import { ratioOf } from "./tensor-ops.ts";

/** A soft gate in place of the clip; its slope at rho = 1 is `-A`. */
export const sapo = defineLoss({
  kind: "sapo",
  formula: "`-A sigmoid(tau (rho - 1)) 4 / tau`, tau by the sign of A",
  source: "Qwen 2025 (docs/method.md D.3)",
  preset: { gate: { positive: 1, negative: 1.05 }, aggregation: "sequence" },
  level: "token",

  term({ logRatio, advantage }, { gate: { positive, negative } }) {
    const temperature = advantage > 0 ? positive : negative;
    const ratio = Math.exp(Math.min(logRatio, maximumLogRatio));
    const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)));
    const slope = logRatio > maximumLogRatio ? 0 : 4 * gate * (1 - gate) * ratio;
    return [(-advantage * gate * 4) / temperature, -advantage * slope];
  },

  tensors({ logRatio, advantages }, { gate: { positive, negative } }, ops) {
    const { add, greater, multiply, negate, sigmoid, where } = ops;
    const losses = negate(advantages);
    const isPositive = greater(0, losses);
    const temperature = where(isPositive, positive, negative);
    const factor = where(isPositive, 4 / positive, 4 / negative);
    const gate = sigmoid(multiply(temperature, add(ratioOf(logRatio, ops), -1)));
    return multiply(multiply(losses, factor), gate);
  },
});

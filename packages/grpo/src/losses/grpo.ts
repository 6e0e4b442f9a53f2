// GRPO: the clipped surrogate, every response weighing the same.
import { clipped } from "./clipped.ts";
import { defineLoss } from "./define.ts";

export const grpo = defineLoss({
  ...clipped,
  kind: "grpo",
  source: "Shao et al. 2024; defaults of verl (docs/method.md D.2)",
  preset: { clip: { low: 0.2, high: 0.2 }, dualClip: 3, aggregation: "sequence" },
  level: "token",
});

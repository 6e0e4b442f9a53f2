// Dr. GRPO: advantages are not divided by the deviation, the loss is divided by a constant length.
import { clipped } from "./clipped.ts";
import { defineLoss } from "./define.ts";

export const drGrpo = defineLoss({
  ...clipped,
  kind: "dr_grpo",
  source: "Liu et al. 2025 (docs/method.md D.3)",
  preset: { clip: { low: 0.2, high: 0.2 }, dualClip: 3, aggregation: "constant" },
  advantageScale: "none",
  level: "token",
});

// DAPO: the upper bound of the clip is higher, every token weighs the same.
import { clipped } from "./clipped.ts";
import { defineLoss } from "./define.ts";

export const dapo = defineLoss({
  ...clipped,
  kind: "dapo",
  source: "Yu et al. 2025 (docs/method.md D.3)",
  preset: { clip: { low: 0.2, high: 0.28 }, dualClip: 3, aggregation: "token" },
  level: "token",
});

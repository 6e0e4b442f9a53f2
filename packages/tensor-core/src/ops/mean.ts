// Mean over one axis or over everything.
import { broadcastCopy } from "./broadcast.ts";
import { multiply } from "./multiply.ts";
import { defineReduction } from "./reduction.ts";

/** Mean over `axis` (dropped from the shape; negative counts from the end), or of all elements (shape []); f32. Throws `shape` for a mean of nothing. */
export const mean = defineReduction({
  name: "mean",
  summary: "mean over one axis or all",
  kind: "sum",
  factor: (length) => 1 / length,
  needsElements: "average",
  gradient: (g, { x, length }) => broadcastCopy(multiply(g, 1 / length), x.shape),
  value: (group) => group.reduce((s, v) => s + v, 0) / group.length,
});

// Sum over one axis or over everything.
import { broadcastCopy } from "./broadcast.ts";
import { defineReduction } from "./reduction.ts";

/** Sum over `axis` (dropped from the shape; negative counts from the end), or of all elements (shape []); f32. */
export const sum = defineReduction({
  name: "sum",
  summary: "sum over one axis or all",
  kind: "sum",
  gradient: (g, { x }) => broadcastCopy(g, x.shape),
  value: (group) => group.reduce((s, v) => s + v, 0),
});

// Largest element over one axis or over everything.
import { cast } from "./cast.ts";
import { equal } from "./comparison.ts";
import { divide } from "./divide.ts";
import { multiply } from "./multiply.ts";
import { defineReduction } from "./reduction.ts";
import { reshape } from "./reshape.ts";
import { sum } from "./sum.ts";

/**
 * Largest element over `axis` (dropped from the shape; negative counts from the end), or of all (shape []); f32. Equal largest elements share
 * the gradient. Throws `shape` for a maximum of nothing.
 */
export const max = defineReduction({
  name: "max",
  summary: "largest element over one axis or all",
  kind: "max",
  needsElements: "compare",
  saves: true,
  gradient: (g, { x, y, axis }) => {
    const largest = cast(equal(x, y), "f32");
    return multiply(largest, divide(g, reshape(sum(largest, axis), g.shape)));
  },
  value: (group) => group.reduce((m, v) => Math.max(m, v), Number.NEGATIVE_INFINITY),
});

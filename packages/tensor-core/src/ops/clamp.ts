// Clamping to an interval.
import { nonFiniteVec4Wgsl } from "./non-finite-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `min(max(x, low), high)`; f32. The gradient passes inside the interval, bounds included. */
export const clamp = defineUnary<[low: number, high: number]>({
  name: "clamp",
  summary: "min(max(x, low), high)",
  parameters: ["low", "high"],
  forward: "nan_min(nan_max(x, vec4f(P.low)), vec4f(P.high))",
  backward: "select(vec4f(), g, (x >= vec4f(P.low)) & (x <= vec4f(P.high)))",
  saves: "x",
  helpers: nonFiniteVec4Wgsl,
  tolerance: 1e-5, // central differences that straddle the kink are off
  value: (x, low, high) => Math.min(Math.max(x, low), high),
  arguments: [-0.5, 0.75],
});

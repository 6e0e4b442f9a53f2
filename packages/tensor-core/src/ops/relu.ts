// Rectifier.
import { nonFiniteVec4Wgsl } from "./non-finite-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `max(x, 0)`; f32. The gradient at 0 is 0. */
export const relu = defineUnary({
  name: "relu",
  summary: "max(x, 0)",
  forward: "nan_max(x, vec4f())",
  backward: "select(vec4f(), g, y > vec4f())",
  saves: "y",
  helpers: nonFiniteVec4Wgsl,
  tolerance: 1e-5, // central differences that straddle the kink are off
  value: (x) => Math.max(x, 0),
});

// Exponential.
import { nonFiniteVec4Wgsl } from "./non-finite-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `e^x`; f32. A finite argument is kept within [-87, 88], where the result is a normal f32. */
export const exp = defineUnary({
  name: "exp",
  summary: "exponential",
  forward: "exp_within(x, -87.0, 88.0)",
  backward: "g * y",
  saves: "y",
  helpers: nonFiniteVec4Wgsl,
  value: Math.exp,
  tolerance: 4e-6,
});

// Absolute value.
import { defineUnary } from "./unary.ts";

/** `|x|`; f32. The gradient at 0 is 0. */
export const abs = defineUnary({
  name: "abs",
  summary: "|x|",
  forward: "abs(x)",
  backward: "g * sign(x)",
  saves: "x",
  tolerance: 1e-5, // central differences that straddle the kink are off
  value: Math.abs,
});

// Exponential.
import { defineUnary } from "./unary.ts";

/** `e^x`; f32. The argument is clamped to [-87, 88], where the result is a normal f32. */
export const exp = defineUnary({
  name: "exp",
  summary: "exponential",
  forward: "exp(clamp(x, vec4f(-87.0), vec4f(88.0)))",
  backward: "g * y",
  saves: "y",
  value: Math.exp,
  tolerance: 4e-6,
});

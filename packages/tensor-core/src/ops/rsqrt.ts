// Reciprocal square root.
import { defineUnary } from "./unary.ts";

/** `1 / √x`; f32, of positive numbers. */
export const rsqrt = defineUnary({
  name: "rsqrt",
  summary: "1 / √x",
  forward: "1.0 / sqrt(x)",
  backward: "-0.5 * g * y * y * y",
  saves: "y",
  value: (x) => 1 / Math.sqrt(x),
  domain: "positive",
});

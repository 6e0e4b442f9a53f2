// Reciprocal.
import { defineUnary } from "./unary.ts";

/** `1 / x`; f32. */
export const reciprocal = defineUnary({
  name: "reciprocal",
  summary: "1 / x",
  forward: "1.0 / x",
  backward: "-g * y * y",
  saves: "y",
  value: (x) => 1 / x,
  domain: "positive",
});

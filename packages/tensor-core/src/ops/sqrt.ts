// Square root.
import { defineUnary } from "./unary.ts";

/** `√x`; f32, of numbers of at least 0. */
export const sqrt = defineUnary({
  name: "sqrt",
  summary: "square root",
  forward: "sqrt(x)",
  backward: "0.5 * g / y",
  saves: "y",
  value: Math.sqrt,
  domain: "positive",
});

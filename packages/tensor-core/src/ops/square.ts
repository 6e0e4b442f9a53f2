// Square.
import { defineUnary } from "./unary.ts";

/** `x²`; f32. */
export const square = defineUnary({
  name: "square",
  summary: "x²",
  forward: "x * x",
  backward: "2.0 * g * x",
  saves: "x",
  value: (x) => x * x,
});

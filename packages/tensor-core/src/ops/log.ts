// Natural logarithm.
import { defineUnary } from "./unary.ts";

/** `ln x`; f32, of positive normal numbers. */
export const log = defineUnary({
  name: "log",
  summary: "natural logarithm",
  forward: "log(x)",
  backward: "g / x",
  saves: "x",
  value: Math.log,
  domain: "positive",
});

// Negation.
import { defineUnary } from "./unary.ts";

/** `-x`; f32. */
export const negate = defineUnary({
  name: "negate",
  summary: "-x",
  forward: "-x",
  backward: "-g",
  value: (x) => -x,
});

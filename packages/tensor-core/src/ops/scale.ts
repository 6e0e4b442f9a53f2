// Product with a number.
import { defineUnary } from "./unary.ts";

/** `x · factor`; f32. */
export const scale = defineUnary<[factor: number]>({
  name: "scale",
  summary: "x · number",
  parameters: ["factor"],
  forward: "x * P.factor",
  backward: "g * P.factor",
  value: (x, factor) => x * factor,
  arguments: [-0.75],
});

// Logistic function.
import { sigmoidWgsl } from "./activation-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `1 / (1 + e^-x)`; f32. */
export const sigmoid = defineUnary({
  name: "sigmoid",
  summary: "logistic function",
  forward: "sigmoid(x)",
  backward: "g * y * (1.0 - y)",
  saves: "y",
  helpers: sigmoidWgsl,
  value: (x) => 1 / (1 + Math.exp(-x)),
  edges: [-200, -88, -20, 20, 88, 200],
});

// Sigmoid-weighted linear unit.
import { sigmoidWgsl, siluReference } from "./activation-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `x · sigmoid(x)`; f32. */
export const silu = defineUnary({
  name: "silu",
  summary: "x · sigmoid(x)",
  forward: "x * sigmoid(x)",
  backward: "g * silu_slope(x)",
  saves: "x",
  helpers: sigmoidWgsl,
  value: siluReference,
  edges: [-200, -20, 20, 200],
});

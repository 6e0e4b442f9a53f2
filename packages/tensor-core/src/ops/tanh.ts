// Hyperbolic tangent.
import { tanhWgsl } from "./activation-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `tanh(x)`; f32. */
export const tanh = defineUnary({
  name: "tanh",
  summary: "hyperbolic tangent",
  forward: "tanh_of(x)",
  backward: "g * (1.0 - y * y)",
  saves: "y",
  helpers: tanhWgsl,
  value: Math.tanh,
  edges: [-100, -20, -9, -3, -0.551, -0.549, -1e-3, 0, 1e-20, 0.3, 0.5499, 0.55, 1, 5, 20, 100],
});

// Hyperbolic tangent.
import { tanhWgsl } from "./activation-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `tanh(x)`; f32. */
export const tanh = defineUnary({
  name: "tanh",
  summary: "hyperbolic tangent",
  forward: "safe_tanh(x)",
  backward: "g * (1.0 - y * y)",
  saves: "y",
  helpers: tanhWgsl,
  value: Math.tanh,
  tolerance: 1e-5,
  edges: [-100, -20, 20, 100],
});

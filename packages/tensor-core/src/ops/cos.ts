// Cosine.
import { sineWgsl } from "./trigonometry-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `cos x`; f32, radians, accurate for |x| up to some thousands. */
export const cos = defineUnary({
  name: "cos",
  summary: "cosine",
  forward: "sine(x, 1u)",
  backward: "-g * sine(x, 0u)",
  saves: "x",
  helpers: sineWgsl,
  value: Math.cos,
  edges: [-1000, -100, -3.140625, -0.7853982, 0, 1.5, 3.125, 6.25, 30, 1000],
});

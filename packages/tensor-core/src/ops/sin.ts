// Sine.
import { sineWgsl } from "./trigonometry-wgsl.ts";
import { defineUnary } from "./unary.ts";

/** `sin x`; f32, radians, accurate for |x| up to some thousands. */
export const sin = defineUnary({
  name: "sin",
  summary: "sine",
  forward: "sine(x, 0u)",
  backward: "g * sine(x, 1u)",
  saves: "x",
  helpers: sineWgsl,
  value: Math.sin,
  edges: [-1000, -100, -3.140625, -0.7853982, 0, 1.5, 3.125, 6.25, 30, 1000],
});

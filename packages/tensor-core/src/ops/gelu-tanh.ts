// Gaussian error linear unit, tanh approximation (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2).
import { tanhWgsl } from "./activation-wgsl.ts";
import { defineUnary } from "./unary.ts";

const helpers = /* wgsl */ `${tanhWgsl}
fn inner(x: vec4f) -> vec4f { return 0.79788456 * (x + 0.044715 * x * x * x); }
fn slope(x: vec4f) -> vec4f {
  let t = tanh_of(inner(x));
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * 0.79788456 * (1.0 + 0.134145 * x * x);
}`;

/** `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`; f32. Not the same function as `gelu`. */
export const geluTanh = defineUnary({
  name: "geluTanh",
  summary: "x Φ(x), tanh approximation",
  forward: "0.5 * x * (1.0 + tanh_of(inner(x)))",
  backward: "g * slope(x)",
  saves: "x",
  helpers,
  value: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  tolerance: 2e-6,
  edges: [-30, -3, 0, 3, 30],
});

// WGSL and f64 of the activation functions that several ops share.

import { nonFiniteVec4Wgsl } from "./non-finite-wgsl.ts";

/** `sigmoid(x)` and the derivative of x·sigmoid(x). */
export const sigmoidWgsl = /* wgsl */ `${nonFiniteVec4Wgsl}
fn sigmoid(x: vec4f) -> vec4f { return 1.0 / (1.0 + exp_within(-x, -87.0, 87.0)); }
fn silu_slope(x: vec4f) -> vec4f {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}`;

/**
 * `tanh_of(x)`, as the built-in one may be off by 2^-11 and may overflow. Below 0.55 Taylor's odd polynomial of degree 15 (Abramowitz and
 * Stegun 4.5.64), else 1 - 2 / (e^2|x| + 1), which is 1 in f32 beyond 10.
 */
export const tanhWgsl = /* wgsl */ `${nonFiniteVec4Wgsl}
fn tanh_of(x: vec4f) -> vec4f {
  let s = x * x;
  var p = vec4f(-0.00145583438);
  p = fma(p, s, vec4f(0.00359212803));
  p = fma(p, s, vec4f(-0.00886323552));
  p = fma(p, s, vec4f(0.0218694885));
  p = fma(p, s, vec4f(-0.0539682540));
  p = fma(p, s, vec4f(0.133333333));
  p = fma(p, s, vec4f(-0.333333333));
  let near = fma(x * s, p, x);
  let far = 1.0 - 2.0 / (exp_within(2.0 * abs(x), 0.0, 80.0) + 1.0);
  return select(select(far, -far, x < vec4f()), near, (abs(x) < vec4f(0.55)) | is_nan(x));
}`;

/** x · sigmoid(x) in f64. */
export function siluReference(x: number): number {
  return x / (1 + Math.exp(-x));
}

// The normal distribution function, which WGSL lacks.

import { nonFiniteVec4Wgsl } from "./non-finite-wgsl.ts";

/**
 * `normal_cdf` and `normal_pdf`. With z = |x| / √2 and t = 1 / (1 + z / 2), erfc(z) e^(z²) / t is a polynomial of degree 8 in t to a relative
 * 4.2e-8 (interpolated at Chebyshev nodes for z < 14); so both tails keep their relative accuracy.
 */
export const normalCdfWgsl = /* wgsl */ `${nonFiniteVec4Wgsl}
fn normal_cdf(x: vec4f) -> vec4f {
  let z = min(abs(x) * 0.70710678, vec4f(9.0));
  let t = 1.0 / (1.0 + 0.5 * z);
  var q = vec4f(-0.0555031546);
  q = fma(q, t, vec4f(0.267092469));
  q = fma(q, t, vec4f(-0.450740784));
  q = fma(q, t, vec4f(0.235928459));
  q = fma(q, t, vec4f(0.00282098946));
  q = fma(q, t, vec4f(0.189979499));
  q = fma(q, t, vec4f(0.246402726));
  q = fma(q, t, vec4f(0.281905254));
  q = fma(q, t, vec4f(0.282114515));
  let tail = 0.5 * q * t * exp(-z * z);
  return select(select(tail, 1.0 - tail, x > vec4f()), vec4f(), is_infinite(-x));
}
fn normal_pdf(x: vec4f) -> vec4f { return 0.39894228 * exp_within(-0.5 * x * x, -81.0, 0.0); }`;

/** Φ(x) in f64, by the series erf(z) = 2/√π e^(-z²) Σ 2^n z^(2n+1) / (2n+1)!!. */
export function normalCdfReference(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  if (z > 6) return x > 0 ? 1 : 0;
  let sum = 0;
  let term = z;
  for (let n = 0; term > sum * 1e-17; n++) {
    sum += term;
    term *= (2 * z * z) / (2 * n + 3);
  }
  const erf = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  return 0.5 + (x > 0 ? 0.5 : -0.5) * erf;
}

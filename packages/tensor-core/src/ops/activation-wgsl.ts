// WGSL and f64 of the activation functions that several ops share.

/** `sigmoid(x)` and the derivative of x·sigmoid(x). The argument is clamped where some adapters' exp overflows. */
export const sigmoidWgsl = /* wgsl */ `
fn sigmoid(x: vec4f) -> vec4f { return 1.0 / (1.0 + exp(clamp(-x, vec4f(-87.0), vec4f(87.0)))); }
fn silu_slope(x: vec4f) -> vec4f {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}`;

/** tanh; beyond 15 it is 1 in f32, and some adapters' tanh overflows to NaN. */
export const tanhWgsl = /* wgsl */ `
fn safe_tanh(x: vec4f) -> vec4f { return tanh(clamp(x, vec4f(-15.0), vec4f(15.0))); }`;

/** x · sigmoid(x) in f64. */
export function siluReference(x: number): number {
  return x / (1 + Math.exp(-x));
}

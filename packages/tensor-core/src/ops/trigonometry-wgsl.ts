// Sine and cosine in WGSL, as the built-in ones may be off by 2^-11 and worse beyond ±π.

/**
 * `sine(x, quarter)`: the sine of x + quarter·π/2 for |x| up to some thousands, error below 3e-7. The argument is reduced to ±π/4 by three
 * parts of π/2 (Cody and Waite 1980), of which the first two have few enough bits that their products are exact; then Taylor series.
 */
export const sineWgsl = /* wgsl */ `
fn sine(x: vec4f, quarter: u32) -> vec4f {
  let n = round(x * 0.63661977);
  let r = fma(n, vec4f(-7.5497899549e-8), fma(n, vec4f(-4.837512969970703e-4), fma(n, vec4f(-1.5703125), x)));
  let s = r * r;
  let odd = r + r * s * fma(s, fma(s, fma(s, vec4f(2.7557319e-6), vec4f(-1.9841270e-4)), vec4f(8.3333333e-3)), vec4f(-0.16666667));
  let even = 1.0 + s * fma(s, fma(s, fma(s, fma(s, vec4f(-2.7557319e-7), vec4f(2.4801587e-5)), vec4f(-1.3888889e-3)), vec4f(4.1666667e-2)), vec4f(-0.5));
  let q = vec4u(vec4i(n)) + quarter;
  let value = select(odd, even, (q & vec4u(1u)) == vec4u(1u));
  return select(value, -value, (q & vec4u(2u)) == vec4u(2u));
}`;

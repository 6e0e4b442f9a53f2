// Gaussian error linear unit, exact form (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2).
import { normalCdfReference, normalCdfWgsl } from "./normal-cdf.ts";
import { defineUnary } from "./unary.ts";

/** `x Φ(x)` with the normal distribution function Φ; f32. Error below 2e-7 of the largest value. */
export const gelu = defineUnary({
  name: "gelu",
  summary: "x Φ(x), by the error function",
  forward: "x * normal_cdf(x)",
  backward: "g * (normal_cdf(x) + x * normal_pdf(x))",
  saves: "x",
  helpers: normalCdfWgsl,
  value: (x) => x * normalCdfReference(x),
  tolerance: 1e-6,
  edges: [-30, -6, -3, -1e-3, 0, 1e-3, 3, 6, 30],
});

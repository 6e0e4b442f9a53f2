// Rules that replace the integral over [0, 1] by a weighted sum (docs/method.md H.1).
import { AttributionError } from "../error.ts";

/** `gauss_legendre` is the default of integrated gradients; `trapezoid` has both ends as nodes. */
export type QuadratureKind = "gauss_legendre" | "midpoint" | "trapezoid";

/** Integral of f over [0, 1] ~ sum of `weights[k] * f(nodes[k])`. The weights sum to 1, the nodes ascend. */
export interface Quadrature {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}

/** @throws AttributionError `argument` for fewer than 1 step (trapezoid: 2) or an unknown rule */
export function quadrature(kind: QuadratureKind, steps: number): Quadrature {
  const least = kind === "trapezoid" ? 2 : 1;
  if (!Number.isInteger(steps) || steps < least || steps > 4096) {
    throw new AttributionError("argument", `${kind} takes a whole number of steps from ${least} to 4096, not ${steps}`);
  }
  switch (kind) {
    case "gauss_legendre":
      return gaussLegendre(steps);
    case "midpoint":
      return rule(steps, (k) => [(2 * k + 1) / (2 * steps), 1 / steps]);
    case "trapezoid":
      return rule(steps, (k) => [k / (steps - 1), (k === 0 || k === steps - 1 ? 0.5 : 1) / (steps - 1)]);
    default:
      throw new AttributionError("argument", `no quadrature is called ${String(kind)}`);
  }
}

/**
 * Nodes are the roots of the Legendre polynomial of degree n, found by Newton's method from Chebyshev's estimate; the weight of a root x
 * is 2 / ((1 - x²) P'(x)²) (Abramowitz and Stegun 25.4.29). Both mapped from [-1, 1] to [0, 1].
 */
function gaussLegendre(count: number): Quadrature {
  return rule(count, (k) => {
    let x = -Math.cos((Math.PI * (k + 0.75)) / (count + 0.5));
    for (let iteration = 0; iteration < 100; iteration++) {
      const [value, slope] = legendre(count, x);
      const step = value / slope;
      x -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    const [, slope] = legendre(count, x);
    return [(1 + x) / 2, 1 / ((1 - x * x) * slope * slope)];
  });
}

/** The Legendre polynomial of a degree and its derivative, by the three-term recurrence. */
function legendre(degree: number, x: number): [value: number, slope: number] {
  let previous = 1;
  let value = x;
  for (let n = 2; n <= degree; n++) [previous, value] = [value, ((2 * n - 1) * x * value - (n - 1) * previous) / n];
  return [value, (degree * (x * value - previous)) / (x * x - 1)];
}

function rule(count: number, at: (k: number) => readonly [node: number, weight: number]): Quadrature {
  const pairs = Array.from({ length: count }, (_, k) => at(k));
  return {
    nodes: Float64Array.from(pairs, ([node]) => node),
    weights: Float64Array.from(pairs, ([, weight]) => weight),
  };
}

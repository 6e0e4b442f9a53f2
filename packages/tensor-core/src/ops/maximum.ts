// The larger of two operands, element by element.
import { defineBinary } from "./binary.ts";
import { cast } from "./cast.ts";
import { greaterEqual, less } from "./comparison.ts";
import { multiply } from "./multiply.ts";

/** `max(a, b)` element by element, with broadcasting; f32 or numbers. Where they are equal the gradient goes to `a`. */
export const maximum = defineBinary({
  name: "maximum",
  summary: "max(a, b), element by element",
  forward: "nan_max(a, b)",
  gradients: (g, { a, b }) => [
    () => multiply(g, cast(greaterEqual(a, b), "f32")),
    () => multiply(g, cast(less(a, b), "f32")),
  ],
  value: Math.max,
});

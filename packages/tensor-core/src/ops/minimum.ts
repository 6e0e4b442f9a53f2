// The smaller of two operands, element by element.
import { defineBinary } from "./binary.ts";
import { cast } from "./cast.ts";
import { greater, lessEqual } from "./comparison.ts";
import { multiply } from "./multiply.ts";

/** `min(a, b)` element by element, with broadcasting; f32 or numbers. Where they are equal the gradient goes to `a`. */
export const minimum = defineBinary({
  name: "minimum",
  summary: "min(a, b), element by element",
  forward: "nan_min(a, b)",
  gradients: (g, { a, b }) => [
    () => multiply(g, cast(lessEqual(a, b), "f32")),
    () => multiply(g, cast(greater(a, b), "f32")),
  ],
  value: Math.min,
});

// The larger of two tensors, element by element.
import { defineBinary } from "./binary.ts";
import { cast } from "./cast.ts";
import { greaterEqual } from "./greater-equal.ts";
import { less } from "./less.ts";
import { multiply } from "./multiply.ts";

/** `max(a, b)` element by element, with broadcasting; f32. Where they are equal the gradient goes to `a`. */
export const maximum = defineBinary({
  name: "maximum",
  summary: "max(a, b), element by element",
  forward: "max(a, b)",
  gradients: (g, { a, b }) => [
    () => multiply(g, cast(greaterEqual(a, b), "f32")),
    () => multiply(g, cast(less(a, b), "f32")),
  ],
  value: Math.max,
});

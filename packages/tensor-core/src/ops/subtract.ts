// Difference of two operands.
import { defineBinary } from "./binary.ts";
import { negate } from "./negate.ts";

/** `a - b` with broadcasting; f32 or numbers. */
export const subtract = defineBinary({
  name: "subtract",
  summary: "a - b",
  forward: "a - b",
  gradients: (g) => [() => g, () => negate(g)],
  saves: [],
  value: (a, b) => a - b,
});

// Sum of two operands.
import { defineBinary } from "./binary.ts";

/** `a + b` with broadcasting; f32 or numbers. */
export const add = defineBinary({
  name: "add",
  summary: "a + b",
  forward: "a + b",
  gradients: (g) => [() => g, () => g],
  saves: [],
  value: (a, b) => a + b,
});

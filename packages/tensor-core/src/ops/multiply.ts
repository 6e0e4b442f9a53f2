// Product of two operands, element by element.
import { defineBinary } from "./binary.ts";

/** `a · b` element by element, with broadcasting; f32 or numbers. */
export const multiply: ReturnType<typeof defineBinary> = defineBinary({
  name: "multiply",
  summary: "a · b, element by element",
  forward: "a * b",
  gradients: (g, { a, b }) => [() => multiply(g, b), () => multiply(g, a)],
  value: (a, b) => a * b,
});

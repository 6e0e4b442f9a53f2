// Quotient of two operands.
import { defineBinary } from "./binary.ts";
import { multiply } from "./multiply.ts";
import { negate } from "./negate.ts";

/** `a / b` with broadcasting; f32 or numbers. */
export const divide: ReturnType<typeof defineBinary> = defineBinary({
  name: "divide",
  summary: "a / b",
  forward: "a / b",
  gradients: (g, { b, y }) => [() => divide(g, b), () => negate(divide(multiply(g, y), b))],
  saves: ["b", "y"],
  value: (a, b) => a / b,
  divisor: true,
});

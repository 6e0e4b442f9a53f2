// Difference of two tensors.
import { defineBinary } from "./binary.ts";
import { negate } from "./negate.ts";

/** `a - b` with broadcasting; f32. */
export const subtract = defineBinary({
  name: "subtract",
  summary: "a - b",
  forward: "a - b",
  gradients: (g) => [() => g, () => negate(g)],
  saves: { inputs: [] },
  value: (a, b) => a - b,
});

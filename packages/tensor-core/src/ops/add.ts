// Sum of two tensors.
import { defineBinary } from "./binary.ts";

/** `a + b` with broadcasting; f32. */
export const add = defineBinary({
  name: "add",
  summary: "a + b",
  forward: "a + b",
  gradients: (g) => [() => g, () => g],
  saves: { inputs: [] },
  value: (a, b) => a + b,
});

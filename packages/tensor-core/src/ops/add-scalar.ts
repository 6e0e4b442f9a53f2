// Sum with a number.
import { defineUnary } from "./unary.ts";

/** `x + addend`; f32. */
export const addScalar = defineUnary<[addend: number]>({
  name: "addScalar",
  summary: "x + number",
  parameters: ["addend"],
  forward: "x + P.addend",
  backward: "g",
  value: (x, addend) => x + addend,
  arguments: [1.5],
});

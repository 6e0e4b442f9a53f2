// What the comparison ops share.
import type { Tensor } from "../tensor.ts";
import { defineBinary } from "./binary.ts";
import type { Op } from "./define.ts";

/** An op that gives 1 or 0 (u32) where two tensors of one type compare as `operator` says. */
export function defineComparison(
  name: string,
  operator: string,
  holds: (a: number, b: number) => boolean,
): ((a: Tensor, b: Tensor) => Tensor) & Op {
  return defineBinary({
    name,
    summary: `1 where a ${operator} b, else 0`,
    forward: `select(U(0u), U(1u), a ${operator} b)`,
    dtypes: ["f32", "i32", "u32"],
    out: "u32",
    value: (a, b) => (holds(a, b) ? 1 : 0),
  });
}

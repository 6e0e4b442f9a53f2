// Comparisons, element by element.
import type { Operand, Tensor } from "../tensor.ts";
import { defineBinary } from "./binary.ts";
import type { Op } from "./define.ts";

/** An op that gives 1 or 0 (u32) where two operands of one type compare as `operator` says. */
function defineComparison(
  name: string,
  operator: string,
  holds: (a: number, b: number) => boolean,
  forward = `a ${operator} b`,
): ((a: Operand, b: Operand) => Tensor) & Op {
  return defineBinary({
    name,
    summary: `1 where a ${operator} b, else 0`,
    forward: `select(U(0u), U(1u), ${forward})`,
    nonFinite: name === "notEqual" ? "NaN differs from everything" : "0 for NaN",
    dtypes: ["f32", "i32", "u32"],
    out: "u32",
    value: (a, b) => (holds(a, b) ? 1 : 0),
  });
}

/** 1 where `a == b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const equal = defineComparison("equal", "==", (a, b) => a === b);

/** 1 where `a != b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const notEqual = defineComparison("notEqual", "!=", (a, b) => a !== b, "!(a == b)");

/** 1 where `a < b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const less = defineComparison("less", "<", (a, b) => a < b);

/** 1 where `a <= b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const lessEqual = defineComparison("lessEqual", "<=", (a, b) => a <= b);

/** 1 where `a > b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const greater = defineComparison("greater", ">", (a, b) => a > b);

/** 1 where `a >= b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const greaterEqual = defineComparison("greaterEqual", ">=", (a, b) => a >= b);

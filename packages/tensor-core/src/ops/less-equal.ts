// Comparison: at most.
import { defineComparison } from "./comparison.ts";

/** 1 where `a <= b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const lessEqual = defineComparison("lessEqual", "<=", (a, b) => a <= b);

// Comparison: less.
import { defineComparison } from "./comparison.ts";

/** 1 where `a < b`, else 0, as u32, with broadcasting; f32, i32 or u32. */
export const less = defineComparison("less", "<", (a, b) => a < b);

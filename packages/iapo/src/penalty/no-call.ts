// D of responses that call no tool (docs/method.md F14).
import type { NoCallPenalty } from "../config/types.ts";

/**
 * D of a response without a call. `blocks`: how many the prompt has; `calls`: D of the group's calls. Under `turn1_attribution` a response
 * is explained as if it were a call; only one that says nothing comes here, and counts as under `lnK`.
 */
export function noCallDivergence(rule: NoCallPenalty, blocks: number, calls: readonly number[]): number {
  if (typeof rule === "number") return rule;
  if (rule === "zero") return 0;
  if (rule === "group_max" && calls.length > 0) return calls.reduce((most, value) => Math.max(most, value));
  return Math.log(blocks);
}

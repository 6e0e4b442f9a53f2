// ToRL: tool-integrated RL whose only care for tools is a charge for programs that fail (Li et al. 2025; docs/method.md G.1).
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import type { TorlOptions } from "./config.ts";
import { accuracyOf } from "./parts.ts";

/** `torl_charge` is what was taken off; `accuracy` the outcome reward as the environment gave it. */
export type TorlRewards = { readonly outcome: number; readonly accuracy: number; readonly torl_charge: number };

/**
 * The reward `r - penalty [the program failed]`, or with 2 r - 1 for r. Of several programs the last one counts, as in ToRL's code. A
 * function of the trace alone that gives the same on a trace that holds its result, so a replay can call it again.
 * @throws IapoError `argument` for a trace without an outcome reward
 */
export function torlReward(options: Omit<TorlOptions, "kind">): (trace: Trace<ImageRef>) => TorlRewards {
  return (trace) => {
    const accuracy = accuracyOf(trace);
    const status = trace.toolOutcomes.at(-1)?.status ?? "no_tool";
    const charged = status === "no_tool" ? options.penalizeNoCall : status !== "ok";
    const torl_charge = charged ? options.penalty : 0;
    const outcome = options.outcome === "pm1" ? 2 * accuracy - 1 : accuracy;
    return { outcome: outcome - torl_charge, accuracy, torl_charge };
  };
}

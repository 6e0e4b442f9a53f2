// What baselines read of a trace's rewards.
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { IapoError } from "../error.ts";

type Rewarded = Pick<Trace<ImageRef>, "rewards" | "toolOutcomes">;

/** The environment's outcome reward, also where a baseline has put its own in its place. */
export function accuracyOf({ rewards }: Rewarded): number {
  return part(rewards, "accuracy" in rewards ? "accuracy" : "outcome");
}

/** @throws IapoError `argument` where the environment gives no such part */
export function part(rewards: Rewarded["rewards"], name: string): number {
  const value = rewards[name];
  if (value !== undefined) return value;
  const given = Object.keys(rewards).join(", ") || "none";
  throw new IapoError("argument", `a baseline needs the reward part ${name}, but the environment gives ${given}`);
}

/** Whether a program was written, whatever became of it. */
export function hasCall({ toolOutcomes }: Rewarded): boolean {
  return toolOutcomes.some(({ status }) => status !== "no_tool");
}

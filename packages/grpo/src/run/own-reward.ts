// What the user's own reward function gives is looked at before it counts: a mistake in it must not train on something else.
import type { Image, Rewards, Trace } from "@iapo/rollout-trace";
import { GrpoError } from "../error.ts";
import { sourceOf } from "./module.ts";
import type { RewardFunction } from "./shaping.ts";

/** Characters of a value that a message shows. */
const SHOWN = 200;

/**
 * The trace with the user's rewards beside, or in place of, the environment's. A number is the outcome.
 * @throws GrpoError `module` where the function throws, or gives anything but a finite number or an object of such that names `outcome` or
 * another reward of the environment
 */
export async function withOwnReward<Content>(
  trace: Trace<Image, Content>,
  reward: RewardFunction<Content>,
): Promise<Trace<Image, Content>> {
  const fail = (what: string, options?: ErrorOptions): GrpoError =>
    new GrpoError(
      "module",
      `${sourceOf(reward, "reward")}, at group ${trace.group}, sample ${trace.sample}: ${what}`,
      options,
    );
  let given: unknown;
  try {
    given = await reward(trace);
  } catch (cause) {
    throw fail(`it throws ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const own = typeof given === "number" ? { outcome: given } : given;
  if (!isRewards(own)) throw fail(`it gives ${shown(given)}; give a finite number, or an object of finite numbers`);
  const known = ["outcome", ...Object.keys(trace.rewards)];
  if (!Object.keys(own).some((name) => known.includes(name)))
    throw fail(`it gives ${shown(given)}, which names no reward; name outcome, or one of ${known.slice(1).join(", ")}`);
  return { ...trace, rewards: { ...trace.rewards, ...own } };
}

function isRewards(value: unknown): value is Rewards {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((part) => Number.isFinite(part));
}

function shown(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value, (_, part) =>
      typeof part === "number" && !Number.isFinite(part) ? String(part) : part,
    ).slice(0, SHOWN);
  } catch {
    return "an object that JSON cannot show";
  }
}

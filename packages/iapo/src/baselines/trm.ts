// TRM: a verifier says of each tool call whether it was right, and that is a reward of its own (docs/method.md G.2).
import type { TurnAdvantageFunction } from "@iapo/grpo";
import { groupAdvantages } from "@iapo/grpo/math";
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { TrmOptions } from "./config.ts";
import { accuracyOf, hasCall, part } from "./parts.ts";

/** Whether the call of a trace was needed and right. Asked of traces with a call only. */
export type Verifier<I extends ImageRef = ImageRef> = (trace: Trace<I>) => 0 | 1 | Promise<0 | 1>;

/** `tool_verdict` is missing where there was no call; `accuracy` is the outcome reward as the environment gave it. */
export type TrmRewards = { readonly outcome: number; readonly accuracy: number; readonly tool_verdict?: 0 | 1 };

/** Right axis, exactly the names asked for, executed, picture changed: from the environment's reward parts. */
export const ruleVerifier: (trace: Pick<Trace<ImageRef>, "rewards" | "toolOutcomes">) => 0 | 1 = ({ rewards }) => {
  const good =
    part(rewards, "tool_misuse") === 0 &&
    part(rewards, "tool_names") === 1 &&
    part(rewards, "tool_success") === 1 &&
    part(rewards, "tool_changed") === 1;
  return good ? 1 : 0;
};

/** The verdict that a trace holds: what a replay takes where no rule can give it again. */
export const recordedVerifier: (trace: Pick<Trace<ImageRef>, "rewards" | "toolOutcomes">) => 0 | 1 = ({ rewards }) =>
  part(rewards, "tool_verdict") === 1 ? 1 : 0;

/**
 * In `trajectory` mode the reward `r + alpha v`; in `turn_level` mode r, with the verdict beside it for {@link turnLevelAdvantages}. An
 * episode that failed and was given an outcome, and no other part, has no call to judge.
 */
export function trmReward<I extends ImageRef>(
  { mode, alpha }: Pick<TrmOptions, "mode" | "alpha">,
  verify: Verifier<I>,
): (trace: Trace<I>) => Promise<TrmRewards> {
  return async (trace) => {
    const accuracy = accuracyOf(trace);
    if (!hasCall(trace) || failed(trace)) return { outcome: accuracy, accuracy };
    const tool_verdict = await verify(trace);
    return { outcome: mode === "trajectory" ? accuracy + alpha * tool_verdict : accuracy, accuracy, tool_verdict };
  };
}

function failed({ rewards }: Trace<ImageRef>): boolean {
  return Object.keys(rewards).join() === "outcome";
}

/**
 * The advantage of the outcome on all turns, and on the first turn `alpha (v - mean) / (std + epsilon)` besides, mean and standard deviation
 * over those of the group that made a call: pooled with the others, a policy learns to call fewer tools.
 */
export function turnLevelAdvantages(
  outcome: TurnAdvantageFunction,
  { alpha, epsilon }: Pick<TrmOptions, "alpha" | "epsilon">,
): TurnAdvantageFunction {
  return (samples) => {
    const groups = samples.map(({ trace }) => trace.group);
    const verdicts = samples.map(({ rewards, shapedReward }) =>
      Number.isNaN(shapedReward) ? Number.NaN : (rewards.tool_verdict ?? Number.NaN),
    );
    const ofVerdicts = groupAdvantages(verdicts, groups, { scale: "group", epsilon });
    return outcome(samples).map((turns, i) =>
      turns.map((advantage, turn) => (turn === 0 ? advantage + alpha * at(ofVerdicts, i) : advantage)),
    );
  };
}

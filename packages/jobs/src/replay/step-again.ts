// The rewards of a trace of the user's own environment: it takes the recorded turns once more.
import { type RewardFunction, withOwnReward, withTurnRewards } from "@iapo/grpo";
import {
  contentWithImages,
  type EarlierTurn,
  type Environment,
  type ReplayFunctions,
  type Rewards,
} from "@iapo/rollout-trace";
import { JobsError } from "../error.ts";
import type { RecordedRun } from "../run/recorded-run.ts";
import { keptImage } from "./renderer.ts";

/**
 * The outcome of an episode that failed is taken as the trace holds it.
 * @param own the user's own reward function, where the run had one
 */
export function stepAgain(
  { directory, config: { grpo } }: Pick<RecordedRun, "directory" | "config">,
  environment: Environment,
  own: RewardFunction | undefined,
): ReplayFunctions["rewards"] {
  const rewardsOf: ReplayFunctions["rewards"] = async ({ task, turns, ...place }): Promise<Rewards> => {
    const stored = await contentWithImages(task.content, (image) => keptImage(directory, image));
    const whole = { ...task, content: environment.contentSchema.parse(stored) };
    const earlier: EarlierTurn[] = [];
    const ofTurns: (number | undefined)[] = [];
    for (const { text } of turns) {
      const { done, reward, tool } = await environment.step(whole, { text }, [...earlier]);
      ofTurns.push(reward);
      if (done) return withTurnRewards(await done.rewards, ofTurns);
      earlier.push({ text, tool });
    }
    const { step, group, sample } = place;
    throw new JobsError(
      "differs",
      `step ${step}, group ${group}, sample ${sample}: the environment does not end after ${turns.length} turns, as it did`,
    );
  };
  return async (trace) => {
    const { outcome, ...others } = trace.rewards;
    if (outcome === undefined) return trace.rewards;
    if (
      grpo.rollout.onFailure === "penalize" &&
      outcome === grpo.rollout.failureReward &&
      Object.keys(others).length === 0
    )
      return trace.rewards;
    const rewards = await rewardsOf(trace);
    return own ? (await withOwnReward({ ...trace, rewards } as Parameters<RewardFunction>[0], own)).rewards : rewards;
  };
}

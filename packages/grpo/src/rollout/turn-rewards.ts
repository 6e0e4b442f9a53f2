// Rewards that an environment gives turn by turn, in an episode's rewards.
import type { Rewards } from "@iapo/rollout-trace";

/**
 * The rewards of the episode's end with what its turns were worth: their sum in `outcome`, and each as a part. Without any, as they are.
 * @param turns by turn; undefined for one that was given none
 */
export function withTurnRewards(rewards: Rewards, turns: readonly (number | undefined)[]): Rewards {
  if (turns.every((reward) => reward === undefined)) return rewards;
  const parts = turns.map((reward = 0, turn) => [`turn_${turn}`, reward] as const);
  const { outcome = 0, ...others } = rewards;
  return { ...others, ...Object.fromEntries(parts), outcome: parts.reduce((sum, [, reward]) => sum + reward, outcome) };
}

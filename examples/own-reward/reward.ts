// Right answers are worth 1, and each token costs a little. A number is the outcome; an object names several rewards.
import type { RewardFunction } from "@iapo/grpo";

const reward: RewardFunction = ({ rewards, turns }) => {
  const tokens = turns.reduce((count, { logProbs }) => count + logProbs.length, 0); // that were sampled
  return (rewards.outcome ?? 0) - 0.002 * tokens;
};
export default reward;

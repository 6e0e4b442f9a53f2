// Pixel Reasoner's curiosity (Wang et al. 2025, arXiv:2505.15966) as its published code has it for pictures (openrlhf/trainer/ppo_utils/
// experience_maker.py): a bonus for calling while less than 30 % of a group call, a price for each further call, and nothing for an answer
// behind a call that failed.
import type { AdvantageFunction } from "@iapo/grpo";
import { groupAdvantages } from "@iapo/grpo/math";

const TARGET = 0.3;

/** Added to the reward of a response with `calls` calls, in a group of which a share calls. */
export function bonus(calls: number, share: number): number {
  if (calls === 0) return 0;
  return ((Math.max(TARGET - share, 0) / 2) * 0.25) / share - 0.05 * (calls - 1);
}

const advantage: AdvantageFunction = (samples) => {
  const groups = samples.map(({ trace }) => trace.group);
  const calls = samples.map(({ trace }) => trace.toolOutcomes.filter(({ status }) => status !== "no_tool").length);
  const rewards = samples.map(({ trace, shapedReward }, i) => {
    const all = calls.filter((_, k) => groups[k] === trace.group);
    const share = all.filter((count) => count > 0).length / all.length;
    const failed = trace.toolOutcomes.some(({ status }) => status !== "no_tool" && status !== "ok");
    return (failed ? Math.min(shapedReward, 0) : shapedReward) + bonus(calls[i] ?? 0, share);
  });
  const perSample = groupAdvantages(rewards, groups, { scale: "group", epsilon: 1e-6 });
  return samples.map(({ trace }, i) => trace.turns.map(() => perSample[i] ?? 0));
};
export default advantage;

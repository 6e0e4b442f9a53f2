// DeepEyes' reward (Zheng et al. 2025, arXiv:2505.14362) as its published code has it (verl/utils/reward_score/vl_agent.py): a tool call
// that showed a picture is worth more than the answer itself, but only where the answer is right.
import type { RewardFunction } from "@iapo/grpo";

const reward: RewardFunction = ({ rewards, toolOutcomes }) => {
  const [tool] = toolOutcomes;
  const accuracy = rewards.outcome ?? 0;
  const format = tool?.status === "parse_error" || tool?.status === "unsupported" ? -1 : 0;
  const bonus = tool?.status === "ok" && accuracy > 0.5 ? 1 : 0;
  return { outcome: 0.8 * accuracy + 0.2 * format + 1.2 * bonus };
};
export default reward;

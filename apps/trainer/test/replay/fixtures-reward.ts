// A reward that an untrained model earns some of: it counts letters.
import type { RewardFunction } from "@iapo/grpo";

const reward: RewardFunction = ({ turns }) => ({ outcome: (turns[0]!.text.length % 7) / 7 });
export default reward;

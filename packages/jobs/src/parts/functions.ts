// The user's own reward, penalty, advantage and loss, by the paths that a configuration has.
import {
  type AdvantageFunction,
  loadFunction,
  type OwnPenaltyFunction,
  ownPenalty,
  type PenaltyFunction,
  type RewardFunction,
  type TensorLoss,
} from "@iapo/grpo";
import type { GrpoSettings } from "@iapo/grpo/config";
import { resolveOwnPackages } from "./user-modules.ts";

/** The user's functions; their paths are absolute by now. @throws GrpoError `module` */
export async function userFunctions({ reward, penalty, advantage, loss }: GrpoSettings["functions"]): Promise<{
  reward?: RewardFunction;
  penalty?: PenaltyFunction;
  advantage?: AdvantageFunction;
  loss?: TensorLoss;
}> {
  resolveOwnPackages();
  return {
    ...(reward !== undefined && { reward: await loadFunction<RewardFunction>(reward, ".") }),
    ...(penalty !== undefined && { penalty: ownPenalty(await loadFunction<OwnPenaltyFunction>(penalty, ".")) }),
    ...(advantage !== undefined && { advantage: await loadFunction<AdvantageFunction>(advantage, ".") }),
    ...(loss !== undefined && { loss: await loadFunction<TensorLoss>(loss, ".") }),
  };
}

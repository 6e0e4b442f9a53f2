// iapo train: GRPO by a configuration's `grpo`.
import {
  type AdvantageFunction,
  evaluatePolicy,
  grpoRecipe,
  learnerOptions,
  loadFunction,
  type RewardFunction,
  type TensorLoss,
} from "@iapo/grpo";
import type { TrainerConfig } from "../config/schema.ts";
import type { Job } from "../run/drive.ts";

export function grpoJob(config: TrainerConfig): Job {
  const { model, data, environment, judge, grpo } = config;
  const { steps, checkpoint, ...settings } = grpo;
  return {
    command: "train",
    seed: grpo.seed,
    steps,
    checkpoint,
    settings: { model, data, environment, judge, grpo: settings },
    tokensOf: (metrics) =>
      (metrics["response_length/mean"] ?? 0) * (metrics["rollout/groups"] ?? 0) * grpo.rollout.samples,
    async build({ policy, tasks, environment, parity }) {
      const functions = await userFunctions(grpo.functions);
      const recipe = grpoRecipe(
        { policy, environment, tasks: tasks.train, learner: learnerOptions(grpo.optimizer), ...functions },
        { ...grpo, recomputeOldLogProbs: grpo.recomputeOldLogProbs || !parity },
      );
      const { validation } = tasks;
      const { evaluate } = grpo;
      if (!evaluate || !validation) return { recipe };
      const rollout = { ...grpo.rollout, samples: evaluate.n };
      return {
        recipe,
        evaluate: {
          every: evaluate.every,
          run: () =>
            evaluatePolicy(policy, environment, validation, { seed: grpo.seed, count: evaluate.tasks, rollout }),
        },
      };
    },
  };
}

/** Their paths are absolute by now. @throws GrpoError `module` */
async function userFunctions({ reward, advantage, loss }: TrainerConfig["grpo"]["functions"]) {
  return {
    ...(reward !== undefined && { reward: await loadFunction<RewardFunction>(reward, ".") }),
    ...(advantage !== undefined && { advantage: await loadFunction<AdvantageFunction>(advantage, ".") }),
    ...(loss !== undefined && { loss: await loadFunction<TensorLoss>(loss, ".") }),
  };
}

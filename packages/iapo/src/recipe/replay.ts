// The functions by which rollout-trace's `replayStep` recomputes a step of an IAPO run from its file: block scores to D to advantages to loss.
import { type GrpoOptions, type ReplayParts, replayFunctions } from "@iapo/grpo";
import type { ReplayFunctions } from "@iapo/rollout-trace";
import type { IapoSettings } from "../config/types.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import { iapoAdvantage } from "./advantage.ts";
import { penaltyEvidence, recomputeDivergence } from "./evidence.ts";

/** No GPU is needed: scores are read from the log, all behind them is computed. `rewards`: by part, recomputed from a trace. */
export function iapoReplay(
  settings: IapoSettings,
  options: Pick<GrpoOptions, "loss" | "overlong" | "advantage">,
  { rewards }: Pick<ReplayParts, "rewards">,
): ReplayFunctions {
  return replayFunctions(options, {
    rewards,
    penalty: (trace, logged) => {
      const evidence = penaltyEvidence(logged);
      return evidence ? lambdaAt(settings, trace.step) * recomputeDivergence(trace, evidence, settings) : 0;
    },
    advantage: iapoAdvantage(settings, options.advantage),
  });
}

// On-policy distillation as a recipe, in any of its forms, and its replay.
import {
  type GrpoOptions,
  type GrpoParts,
  grpoRecipe,
  type Recipe,
  type ReplayParts,
  replayFunctions,
} from "@iapo/grpo";
import type { ReplayFunctions } from "@iapo/rollout-trace";
import type { AttributionModel } from "../scoring/model.ts";
import { sequenceMetrics } from "./metrics.ts";
import { replayedCost, sequenceAdvantage, sequencePenalty } from "./sequence.ts";
import type { Distillation } from "./settings.ts";

export interface DistillationParts extends GrpoParts {
  readonly scoringTeacher: NonNullable<GrpoParts["scoringTeacher"]>;
  /** Reads the ids of calls. */
  readonly student: Pick<AttributionModel, "tokenBytes">;
}

/** Plain data. */
export interface DistillationOptions extends Omit<GrpoOptions, "distillation"> {
  readonly distillation: Distillation;
}

/** A penalty and an advantage of the parts stay, but for distillation by sequence, which has its own. */
export function distillationRecipe(parts: DistillationParts, options: DistillationOptions): Recipe {
  const { distillation } = options;
  if (distillation.kind !== "sequence") return grpoRecipe(parts, { ...options, distillation });
  const penalty = sequencePenalty(distillation, parts.student);
  const advantage = sequenceAdvantage(distillation, options.advantage.epsilon);
  const recipe = grpoRecipe({ ...parts, penalty, advantage }, { ...options, distillation: undefined });
  return {
    ...recipe,
    step: async (place) => {
      const made = await recipe.step(place);
      return { ...made, metrics: { ...made.metrics, ...sequenceMetrics(made, distillation) } };
    },
  };
}

/** No GPU is needed: the teacher's log-probs, and divergences, are read from the log. `parts`: as of a run without distillation. */
export function distillationReplay(
  options: Pick<DistillationOptions, "loss" | "overlong" | "advantage" | "distillation">,
  parts: ReplayParts,
): ReplayFunctions {
  const { distillation } = options;
  if (distillation.kind !== "sequence") return replayFunctions({ ...options, distillation }, parts);
  return replayFunctions(
    { ...options, distillation: undefined },
    {
      rewards: parts.rewards,
      penalty: (trace, evidence) => replayedCost(trace, evidence, distillation),
      advantage: sequenceAdvantage(distillation, options.advantage.epsilon),
    },
  );
}

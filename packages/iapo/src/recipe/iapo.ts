// IAPO as a recipe: GRPO with the student's disagreement with a teacher, on what a tool call rests on, in the reward.
import { type GrpoOptions, type GrpoParts, grpoRecipe, type Recipe } from "@iapo/grpo";
import { writesCalls } from "../config/compare.ts";
import type { IapoSettings } from "../config/types.ts";
import type { AttributionModel } from "../scoring/model.ts";
import { CallCache } from "../teacher/call-cache.ts";
import type { Teacher } from "../teacher/teacher.ts";
import { TeacherCalls } from "../teacher/teacher-calls.ts";
import { iapoAdvantage } from "./advantage.ts";
import type { ExplainElsewhere } from "./compare.ts";
import { iapoMetrics } from "./metrics.ts";
import { attributionPenalty } from "./penalty.ts";

export interface IapoParts extends Omit<GrpoParts, "penalty" | "advantage"> {
  /** The policy in training, as attribution sees it. */
  readonly student: AttributionModel;
  readonly teacher: Teacher;
  /** Others who explain groups, to the same bits. */
  readonly explainElsewhere?: ExplainElsewhere | undefined;
  /** Directory of the teacher's own calls, which runs can share; without one they are kept in memory. */
  readonly cache?: string | undefined;
  /** Default: that of the student's device. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Plain data. */
export interface IapoOptions extends GrpoOptions {
  readonly iapo: IapoSettings;
}

/**
 * GRPO until `coldStartSteps`, IAPO from then on. Scores are taken by the weights that the rollout had, before the update, once per step.
 * @throws IapoError `teacher` where its own calls are asked for and it cannot write
 */
export function iapoRecipe(parts: IapoParts, options: IapoOptions): Recipe {
  const { student, teacher, cache, environment } = parts;
  const { iapo: settings } = options;
  const onWarning = parts.onWarning ?? ((message: string) => student.device.warn(message));
  const calls = { settings, seed: options.seed, maxTokens: options.rollout.maxTokens };
  // Under teacher_with_own_call the teacher is ready already when it writes.
  const writing = settings.compare === "student_with_teacher" ? teacher : { ...teacher, use: undefined };
  const teacherCalls = writesCalls(settings)
    ? new TeacherCalls(writing, calls, new CallCache(cache, onWarning))
    : undefined;
  const recipe = grpoRecipe(
    {
      ...parts,
      penalty: attributionPenalty({
        ...{ student, teacher, settings, teacherCalls, elsewhere: parts.explainElsewhere },
        prompt: (task) => environment.prompt(task),
      }),
      advantage: iapoAdvantage(settings, options.advantage),
    },
    options,
  );
  const watch = new LambdaWatch(settings, onWarning);
  return {
    ...recipe,
    step: async (place) => {
      const made = await recipe.step(place);
      const metrics = iapoMetrics(made, place.step, settings);
      watch.see(place.step, metrics);
      return { ...made, metrics: { ...made.metrics, ...metrics } };
    },
  };
}

/** Warns when a weight begins to be without effect. */
class LambdaWatch {
  readonly #settings: IapoSettings;
  readonly #onWarning: (message: string) => void;
  #warned = false;

  constructor(settings: IapoSettings, onWarning: (message: string) => void) {
    this.#settings = settings;
    this.#onWarning = onWarning;
  }

  see(step: number, metrics: Readonly<Record<string, number>>): void {
    const share = metrics["iapo/homogeneous_group_frac"] ?? 0;
    const cancels = this.#settings.normalization === "joint" && (metrics["iapo/lambda"] ?? 0) > 0 && share > 0.5;
    if (cancels && !this.#warned) {
      this.#onWarning(
        `step ${step}: ${(100 * share).toFixed(0)} % of the groups have equal outcome rewards; there lambda cancels under normalization joint and the penalty drives the step at full strength: normalization decoupled keeps its weight`,
      );
    }
    this.#warned = cancels;
  }
}

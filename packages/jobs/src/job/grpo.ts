// GRPO by a configuration's `grpo`, with a teacher by its `iapo`, or a baseline by its `baseline`.
import { join } from "node:path";
import { evaluatePolicy, type GrpoParts, grpoRecipe, learnerOptions, type Recipe } from "@iapo/grpo";
import { configurationProblems } from "@iapo/grpo/config";
import { distillationRecipe, iapoRecipe } from "@iapo/iapo";
import type { JobConfig } from "../config/schema.ts";
import { openBaseline } from "../parts/baseline.ts";
import { userFunctions } from "../parts/functions.ts";
import { openTeacherOf, requireSameTokens } from "../parts/teacher.ts";
import { closing, type JobParts, type JobSpec } from "./spec.ts";

export function grpoSpec(config: JobConfig): JobSpec {
  const { model, teacher, data, environment, judge, grpo, iapo, distillation, baseline, verifier } = config;
  const { steps, checkpoint, maxSkippedSteps, ...decisive } = grpo;
  const { loss } = grpo;
  const { maxPromptTokens: maximum, onLongPrompt } = grpo.rollout;
  const decisiveTeacher = teacher && { ...teacher, residence: undefined, recompute: undefined }; // the numbers are the same: a resume may change it
  // What is turned off says so: left out, it would be read back as the preset's.
  const { module, options } = environment;
  const decisiveEnvironment = module === undefined ? environment : { module, options };
  const decisiveData = module === undefined ? data : undefined;
  const settings = { ...decisive, loss: { ...loss, dualClip: loss.dualClip ?? null } };
  return {
    kind: "train",
    section: "grpo",
    problems: (facts) => configurationProblems(grpo, facts),
    seed: grpo.seed,
    steps,
    checkpoint,
    maxSkippedSteps,
    promptLimit: maximum === undefined ? undefined : { maximum, onLongPrompt },
    settings: {
      ...{ model, teacher: decisiveTeacher, data: decisiveData, environment: decisiveEnvironment, judge },
      ...{ grpo: settings, iapo, distillation, baseline, verifier },
    },
    tokensOf: (metrics) =>
      (metrics["response_length/mean"] ?? 0) * (metrics["rollout/groups"] ?? 0) * grpo.rollout.samples,
    async build(parts) {
      const recipe = await recipeOf(config, parts);
      const { validation } = parts.tasks;
      const { evaluate } = grpo;
      if (!evaluate || !validation) return { recipe };
      const rollout = { ...grpo.rollout, samples: evaluate.samples, signal: parts.signal };
      const options = { seed: grpo.seed, count: evaluate.tasks, rollout };
      const run = () => evaluatePolicy(parts.policy, parts.environment, validation, options);
      return { recipe, evaluate: { every: evaluate.every, run } };
    },
  };
}

async function recipeOf(config: JobConfig, parts: JobParts): Promise<Recipe & AsyncDisposable> {
  const { grpo, iapo, distillation, teacher: teacherSettings, baseline: baselineOptions } = config;
  const { policy, tasks, environment, directory, workforce } = parts;
  const learner = learnerOptions(grpo.optimizer);
  const base: GrpoParts = {
    policy,
    environment,
    tasks: tasks.train,
    learner,
    workforce,
    ...(await userFunctions(grpo.functions)),
  };
  const options = { ...grpo, recomputeOldLogProbs: grpo.recomputeOldLogProbs || !parts.parity };
  const isAsked = (iapo ?? distillation ?? base.penalty) !== undefined;
  const teacher = isAsked && teacherSettings ? await openTeacherOf(teacherSettings, parts) : undefined;
  if (iapo && teacher) {
    const student = policy.differentiable();
    const cache = teacherSettings?.cache ?? join(directory, "teacher-calls");
    const { onWarning } = parts;
    const close = async (): Promise<void> => teacher.dispose();
    return closing(
      () =>
        iapoRecipe(
          { ...base, student, teacher, cache, onWarning, explainElsewhere: workforce?.explain },
          { ...options, iapo },
        ),
      close,
    );
  }
  if (baselineOptions) {
    const { close, ...functions } = await openBaseline(baselineOptions, config, directory);
    return closing(() => grpoRecipe({ ...base, ...functions }, options), close);
  }
  if (!teacher) return closing(() => grpoRecipe(base, options));
  const close = async (): Promise<void> => teacher.dispose();
  return closing(() => {
    requireSameTokens(policy, teacher.writer.policy);
    const scored = { ...base, scoringTeacher: { model: teacher.writer.policy, use: teacher.use } };
    return distillation
      ? distillationRecipe({ ...scored, student: policy.differentiable() }, { ...options, distillation })
      : grpoRecipe(scored, options);
  }, close);
}

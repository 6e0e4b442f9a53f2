// Supervised learning by a configuration's `supervised`, the cold start of reinforcement learning.
import { evaluatePolicy, learnerOptions, supervisedRecipe, type TaskSource } from "@iapo/grpo";
import { optimizerProblems } from "@iapo/grpo/config";
import type { Environment, Scribe, Trajectory } from "@iapo/rollout-trace";
import type { NanoCharts } from "@iapo/vqa-tasks/nano";
import type { JobConfig } from "../config/schema.ts";
import type { SupervisedSettings } from "../config/supervised.ts";
import { JobsError } from "../error.ts";
import { chartExamples } from "./examples.ts";
import { closing, type JobSpec } from "./spec.ts";

interface ExampleParts {
  readonly policy: Scribe;
  readonly charts: NanoCharts;
  readonly environment: Environment;
  readonly length: number;
}

/** What a worker learns from beside the learner; undefined without the section `supervised`. */
export function supervisedExamples(
  { supervised }: Pick<JobConfig, "supervised">,
  parts: ExampleParts,
): TaskSource<Trajectory> | undefined {
  return supervised && examplesOf(supervised, parts);
}

function examplesOf(
  { seed, mixture }: SupervisedSettings,
  { policy: scribe, ...parts }: ExampleParts,
): TaskSource<Trajectory> {
  return chartExamples({ ...parts, scribe, seed, name: "sft", mixture });
}

/** @throws JobsError `config` where there is nothing to learn from */
export function supervisedSpec({ model, data, environment, supervised }: JobConfig): JobSpec {
  if (!supervised)
    throw new JobsError("config", "the configuration has no section supervised, which says how to learn from examples");
  if (!data.nanoCharts) {
    throw new JobsError(
      "config",
      "supervised learning is from demonstrations, which only nano-charts have; set data.nanoCharts",
    );
  }
  const { steps, checkpoint, ...settings } = supervised;
  const { seed, batchSize: batch, microBatchTokens, optimizer, evaluate } = settings;
  return {
    kind: "sft",
    section: "supervised",
    problems: () => ({
      errors: [],
      warnings: optimizerProblems(optimizer).warnings.map(({ path, message }) => ({
        path: ["optimizer", ...path],
        message,
      })),
    }),
    seed,
    steps,
    checkpoint,
    settings: { model, data, environment, supervised: settings },
    tokensOf: (metrics) => metrics["train/tokens"] ?? 0,
    async build({ policy, tasks, environment, signal, workforce }) {
      const { charts } = tasks;
      if (!charts) throw new JobsError("config", "nano-charts were asked for, and are not among the tasks");
      const { length } = tasks.train;
      const examples = examplesOf(supervised, { policy, charts, environment, length });
      const learner = learnerOptions(optimizer);
      const options = { seed, batch, microBatchTokens };
      const recipe = await closing(() => supervisedRecipe({ policy, examples, learner, workforce }, options));
      const { validation } = tasks;
      if (!evaluate || !validation) return { recipe };
      const rollout = { samples: 1, sampling: { temperature: 1 }, maxTokens: evaluate.maxTokens, signal };
      return {
        recipe,
        evaluate: {
          every: evaluate.every,
          run: () => evaluatePolicy(policy, environment, validation, { seed, count: evaluate.tasks, rollout }),
        },
      };
    },
  };
}

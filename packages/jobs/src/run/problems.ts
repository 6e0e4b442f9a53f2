// What stands against a job, said before it begins, by a check and by a run alike.
import type { ConfigurationFacts, ConfigurationProblem } from "@iapo/grpo/config";
import { modelDirectory } from "@iapo/qwen-vl-model";
import { loadConfig, type ModelSource } from "@iapo/qwen-vl-model/config";
import type { Environment } from "@iapo/rollout-trace";
import { JobsError } from "../error.ts";
import type { JobSpec } from "../job/spec.ts";
import type { JobTasks } from "../parts/own-environment.ts";

export interface JobFacts extends Pick<ConfigurationFacts, "positions" | "promptTokens"> {
  readonly tasks: JobTasks;
  readonly environment: Environment;
}

/** Warnings, to be said and kept as alarms of the run. @throws JobsError `config` where the job could not run or learn */
export function warningsOf(spec: JobSpec, { tasks, environment, ...facts }: JobFacts): string[] {
  const { errors, warnings } = spec.problems({
    ...facts,
    tasks: tasks.train.length,
    heldOut: tasks.validation?.length,
    turns: environment.maxTurns,
  });
  const lines = (problems: readonly ConfigurationProblem[]): string[] =>
    problems.map(({ path, message }) => `${[spec.section, ...path].join(".")}: ${message}`);
  if (errors.length > 0) throw new JobsError("config", lines(errors).join("\n"));
  return lines(warnings);
}

/** Positions that the model distinguishes. */
export async function positionsOf(model: ModelSource, options: { readonly signal: AbortSignal }): Promise<number> {
  return (await loadConfig(await modelDirectory(model, options))).text.maxPositionEmbeddings;
}

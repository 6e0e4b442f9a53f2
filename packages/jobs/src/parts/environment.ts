// From a configuration's `environment`, `data` and `judge` to what an episode is and what it is about.
import { join } from "node:path";
import type { Environment, Task } from "@iapo/rollout-trace";
import type { EnvironmentOptions } from "@iapo/vqa-tasks";
import { createEnvironment, type VqaEnvironment } from "@iapo/vqa-tasks";
import { createJudge, type Judge, openVerdicts } from "@iapo/vqa-tasks/scoring";
import { type OpenTasksOptions, openTasks } from "@iapo/vqa-tasks/sources";
import type { JobConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";
import { type JobTasks, loadEnvironment } from "./own-environment.ts";
import { loadTools } from "./user-modules.ts";

export interface Episodes {
  readonly environment: Environment;
  /** Of the user's own environment, the first task alone is checked. */
  openTasks(
    options?: Pick<OpenTasksOptions, "signal"> & { readonly check?: (task: Task) => string | undefined },
  ): Promise<JobTasks>;
}

export interface OpenEpisodes extends Episodes, AsyncDisposable {
  /** Where the configuration names one. */
  readonly judge?: Judge | undefined;
}

/** Charts and tables, with the user's own tools. @throws GrpoError `module`; JobsError `invalid`, `config` for an environment of the user's own */
export async function environmentOf(options: Partial<EnvironmentOptions>, judge?: Judge): Promise<VqaEnvironment> {
  if (options.module !== undefined)
    throw new JobsError(
      "config",
      `this is for charts and tables; the environment of ${options.module} can be trained with and replayed`,
    );
  const module = options.tools?.module;
  return createEnvironment({ options, judge, tools: module === undefined ? undefined : await loadTools(module) });
}

/** The one door to the episodes that a configuration describes. @throws GrpoError `module`; JobsError `invalid`, `config` */
export async function episodesOf(
  { environment: options, data, grpo }: Pick<JobConfig, "environment" | "data" | "grpo">,
  judge?: Judge,
): Promise<Episodes> {
  const { module } = options;
  if (module === undefined)
    return { environment: await environmentOf(options, judge), openTasks: (given) => openTasks(data, given) };
  const { environment, tasks } = await loadEnvironment(module, options.options);
  if (grpo.evaluate && !tasks.validation)
    throw new JobsError(
      "config",
      `grpo.evaluate: needs held-out tasks, and ${module} gives no validation; write nothing behind evaluate, or give some`,
    );
  return {
    environment,
    async openTasks({ check } = {}) {
      const reason = check?.(await tasks.train.task(0));
      if (reason !== undefined) throw new JobsError("invalid", `${module}: of its first task, ${reason}`);
      return tasks;
    },
  };
}

/** For those who score nothing, or by rule: no judge is asked. */
export function withoutJudge(options: EnvironmentOptions): EnvironmentOptions {
  const { scoring } = options;
  return scoring.scoring === "judge" ? { ...options, scoring: { ...scoring, scoring: "relaxed" } } : options;
}

/** A judge's verdicts are kept in the run's directory and asked for once. */
export async function openEpisodes(
  config: Pick<JobConfig, "environment" | "data" | "grpo" | "judge">,
  directory: string,
): Promise<OpenEpisodes> {
  const { judge } = config;
  if (!judge) return { ...(await episodesOf(config)), [Symbol.asyncDispose]: async () => {} };
  const { recorded, record, close } = await openVerdicts(join(directory, "verdicts.jsonl"));
  const apiKey = process.env.IAPO_JUDGE_KEY;
  const asked = createJudge({ ...judge, ...(apiKey && { apiKey }), recorded, record });
  return { ...(await episodesOf(config, asked)), judge: asked, [Symbol.asyncDispose]: close };
}

// What an episode of an evaluation is, and who scores it: by the options of the command line, or by a configuration.
import type { JudgeSettings } from "@iapo/evaluation";
import { hashModule } from "@iapo/grpo/run-directory";
import { environmentOf, type Job, openJob, requireTrust } from "@iapo/jobs";
import type { Environment } from "@iapo/rollout-trace";
import { type EnvironmentOptions, type EnvironmentPreset, environmentPresets } from "@iapo/vqa-tasks";
import { type Judge, ruleOf } from "@iapo/vqa-tasks/scoring";
import { type OpenSet, openTasks } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";

export interface Episodes {
  /** Of a set. */
  environment(set: string, judge: Judge | undefined): Promise<Environment>;
  /** Who is asked, where answers are not scored by rule. */
  readonly judge: JudgeSettings | undefined;
  /** How answers of a set are scored, in a word. */
  scoring(set: OpenSet): string;
  /** What decides answers, for `eval.json`. */
  readonly settings: { readonly environment: object; readonly judge: object | null };
}

export interface EpisodeFlags {
  readonly preset: EnvironmentPreset;
  /** Default: `compact` for nano-charts, `full` for all else. */
  readonly prompt: "full" | "compact" | undefined;
  readonly judge: JudgeSettings | undefined;
}

export function episodesOfFlags({ preset, prompt, judge }: EpisodeFlags): Episodes {
  const base = environmentPresets[preset];
  const scoring = { ...base.scoring, scoring: judge ? ("judge" as const) : ("by_set" as const) };
  return {
    environment: (set, asked) =>
      environmentOf({ ...base, scoring, prompt: prompt ?? (set === "nano" ? "compact" : "full") }, asked),
    judge,
    scoring: ({ rule }) => (judge ? "judge" : rule),
    settings: {
      environment: { preset, prompt: prompt ?? null },
      judge: judge ? { endpoint: judge.endpoint, model: judge.model } : null,
    },
  };
}

/** Of a configuration, or of the directory of a run. @throws ConfigError; JobsError `untrusted`; TrainerError `config` */
export function openEvaluatedJob(
  source: string,
  { set, trust }: { readonly set: readonly string[]; readonly trust?: true | undefined },
): Job {
  const job = openJob(source, { kind: "train", set, trust });
  requireTrust(job);
  const { module } = job.config.environment;
  if (module === undefined) return job;
  const advice = "the held-out tasks of its own environment are measured in a run, by grpo.evaluate";
  throw new TrainerError("config", `${source}: an evaluation is of charts and tables; ${advice} (${module})`);
}

/** @throws GrpoError `module` */
export async function episodesOfJob({ config: { environment, judge } }: Job): Promise<Episodes> {
  const { scoring } = environment.scoring;
  const apiKey = process.env.IAPO_JUDGE_KEY;
  return {
    environment: (_set, asked) => environmentOf(environment, asked),
    judge: scoring === "judge" && judge ? { ...judge, apiKey } : undefined,
    scoring: ({ rule }) => (scoring === "by_set" ? rule : scoring),
    settings: { environment: { ...environment, code: await codeOf(environment) }, judge: judge ?? null },
  };
}

/** SHA-256 of the module of the user's own tools. */
async function codeOf({ tools: { module } }: EnvironmentOptions): Promise<string | null> {
  const [file = ""] = module?.split("#") ?? [];
  return file === "" ? null : hashModule(file);
}

/** The held-out tasks of a configuration; of nano-charts so many. @throws TrainerError `config` where it names none */
export async function heldOutSet({ name, config: { data } }: Job, charts: number): Promise<OpenSet> {
  const { validation, charts: areCharts } = await openTasks(data);
  if (!validation)
    throw new TrainerError(
      "config",
      `${name}: data.validation names no held-out tasks; add them, or give --sets or --tasks`,
    );
  const stated = areCharts ? charts : validation.length;
  return {
    name: "validation",
    rule: ruleOf((await validation.task(0)).source),
    stated,
    content: [validation.content ?? JSON.stringify(data.nanoCharts)],
    async *tasks() {
      for (let index = 0; index < stated; index++) yield await validation.task(index);
    },
  };
}

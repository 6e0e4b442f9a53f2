// What a study of models looks at: student and teacher by name or configuration, nano-charts, and the environment of their episodes.
import { type OptimizerSettings, optimizerSettingsSchema } from "@iapo/grpo/config";
import { iapoPresets } from "@iapo/iapo/config";
import type { StudySubject } from "@iapo/iapo/study";
import { checkModelDirectory, environmentOf, type Job, namedModel, openJob, requireTrust } from "@iapo/jobs";
import { studentDirectory, teacherDirectory } from "@iapo/nano-vl";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { TrainerError } from "../error.ts";

export interface StudyFlags {
  /** A configuration, or the directory of a run; without one, what ships. */
  readonly source: string | undefined;
  /** In place of the configuration's models: directories, or names of shipped models. */
  readonly student: string | undefined;
  readonly teacher: string | undefined;
  /** Whether the modules may be loaded that a run's directory names. */
  readonly trust?: true | undefined;
  /** In place of the configuration's seed of the charts. */
  readonly seed: number | undefined;
}

export interface Study extends StudySubject {
  readonly job: Job | undefined;
  readonly student: ModelSource;
  readonly teacher: ModelSource | undefined;
  /** Of a turn: the configuration's, or what nano models need. */
  readonly maxTokens: number;
  /** Likewise. */
  readonly optimizer: OptimizerSettings;
}

/** Answers are compared by rule: what is studied are calls. @throws TrainerError `config`, `missing`, `invalid` */
export async function openStudy({ source, student, teacher, trust, seed }: StudyFlags): Promise<Study> {
  const job = source === undefined ? undefined : openJob(source, { kind: "train", trust });
  const config = job?.config;
  if (job) requireTrust(job);
  if (config && !config.data.nanoCharts)
    throw new TrainerError(
      "config",
      `${source}: only of nano-charts is it known which calls are right; set data.nanoCharts`,
    );
  const options = config
    ? { ...config.environment, scoring: { ...config.environment.scoring, scoring: "relaxed" as const } }
    : { prompt: "compact" as const };
  const charts = { seed: 1, names: "words" as const, ...config?.data.nanoCharts, ...(seed !== undefined && { seed }) };
  return {
    job,
    student:
      student === undefined
        ? await checked(config?.model ?? { directory: studentDirectory })
        : await namedModel(student),
    teacher: teacher === undefined ? await checkedTeacher(config) : await namedModel(teacher),
    charts: await createNanoCharts(charts),
    environment: await environmentOf(options),
    iapo: config?.iapo ?? iapoPresets.occlusion,
    maxTokens: config?.grpo.rollout.maxTokens ?? 48,
    optimizer: config?.grpo.optimizer ?? optimizerSettingsSchema.parse({ learningRate: 4e-4, weightDecay: 0 }),
  };
}

/** A directory that holds no model is found out before the work. */
async function checked<Source extends ModelSource>(source: Source): Promise<Source> {
  if (source.directory !== undefined && source.initialize === undefined) await checkModelDirectory(source.directory);
  return source;
}

async function checkedTeacher(config: Job["config"] | undefined): Promise<ModelSource | undefined> {
  const source: ModelSource | undefined = config ? config.teacher : { directory: teacherDirectory };
  return source && checked(source);
}

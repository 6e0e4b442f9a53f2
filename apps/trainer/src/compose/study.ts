// What a study of models looks at: student and teacher by name or configuration, nano-charts, and the environment of their episodes.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { iapoPresets } from "@iapo/iapo/config";
import type { StudySubject } from "@iapo/iapo/study";
import {
  checkModelDirectory,
  checkTrust,
  environmentOf,
  type LoadedConfig,
  loadConfig,
  shippedModels,
} from "@iapo/jobs";
import { studentDirectory, teacherDirectory } from "@iapo/nano-vl";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import { nearest } from "@iapo/run-config";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { TrainerError } from "../error.ts";

export interface StudyFlags {
  /** A configuration, or the directory of a run; without one, what ships. */
  readonly source: string | undefined;
  /** In place of the configuration's models: directories, or names of shipped models. */
  readonly student: string | undefined;
  readonly teacher: string | undefined;
  /** In place of the configuration's seed of the charts. */
  readonly seed: number | undefined;
}

export interface Study extends StudySubject {
  readonly loaded: LoadedConfig | undefined;
  readonly student: ModelSource;
  readonly teacher: ModelSource | undefined;
  /** Of a turn: the configuration's, or what nano models need. */
  readonly maxTokens: number;
}

/** Answers are compared by rule: what is studied are calls. @throws TrainerError `config`, `missing`, `invalid` */
export async function openStudy({ source, student, teacher, seed }: StudyFlags): Promise<Study> {
  const loaded = source === undefined ? undefined : loadConfig(source);
  const config = loaded?.config;
  if (source !== undefined && config) checkTrust(source, config, false);
  if (config && !config.data.nanoCharts)
    throw new TrainerError("config", `${source}: only nano-charts tell which calls are right; set data.nanoCharts`);
  const options = config
    ? { ...config.environment, scoring: { ...config.environment.scoring, scoring: "relaxed" as const } }
    : { prompt: "compact" as const };
  const charts = { seed: 1, names: "words" as const, ...config?.data.nanoCharts, ...(seed !== undefined && { seed }) };
  return {
    loaded,
    student:
      student === undefined
        ? await checked(config?.model ?? { directory: studentDirectory })
        : await namedModel(student),
    teacher: teacher === undefined ? await checkedTeacher(config) : await namedModel(teacher),
    charts: await createNanoCharts(charts),
    environment: await environmentOf(options),
    iapo: config?.iapo ?? iapoPresets.occlusion,
    maxTokens: config?.grpo.rollout.maxTokens ?? 48,
  };
}

/** A directory that holds no model is found out before the work. */
async function checked<Source extends ModelSource>(source: Source): Promise<Source> {
  if (source.directory !== undefined && source.initialize === undefined) await checkModelDirectory(source.directory);
  return source;
}

async function checkedTeacher(config: LoadedConfig["config"] | undefined): Promise<ModelSource | undefined> {
  const source: ModelSource | undefined = config ? config.teacher : { directory: teacherDirectory };
  return source && checked(source);
}

/** By the name of a shipped one, or a path. @throws TrainerError `missing`, `invalid` */
export async function namedModel(name: string): Promise<ModelSource> {
  const directory = directoryOf(name);
  await checkModelDirectory(directory);
  return { directory };
}

function directoryOf(name: string): string {
  const directory = shippedModels.get(name) ?? resolve(name);
  if (existsSync(directory)) return directory;
  const near = nearest(name, [...shippedModels.keys()]);
  const hint =
    near === undefined ? `shipped models are ${[...shippedModels.keys()].join(", ")}` : `did you mean ${near}?`;
  throw new TrainerError("missing", `${directory}: there is no such directory or shipped model; ${hint}`);
}

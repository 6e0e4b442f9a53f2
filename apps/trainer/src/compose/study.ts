// What a study of models looks at: student and teacher by name or configuration, nano-charts, and the environment of their episodes.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type IapoSettings, iapoPresets } from "@iapo/iapo/config";
import type { Orientation, PromptBlock } from "@iapo/rollout-trace";
import { createEnvironment, type VqaEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts, type NanoCharts } from "@iapo/vqa-tasks/nano";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import type { ModelSource } from "../config/model.ts";
import { nearest } from "../config/nearest.ts";
import { shippedModels } from "../config/shipped.ts";
import { TrainerError } from "../error.ts";
import { checkModelDirectory } from "../eval/local-model.ts";

export interface StudyFlags {
  /** A configuration, or the directory of a run; without one, what ships. */
  readonly source: string | undefined;
  /** In place of the configuration's models: directories, or names of shipped models. */
  readonly student: string | undefined;
  readonly teacher: string | undefined;
  /** In place of the configuration's seed of the charts. */
  readonly seed: number | undefined;
}

export interface Study {
  readonly loaded: LoadedConfig | undefined;
  readonly student: ModelSource;
  readonly teacher: ModelSource | undefined;
  readonly charts: NanoCharts;
  readonly environment: VqaEnvironment;
  /** The configuration's, or those of the preset for nano models. */
  readonly iapo: IapoSettings;
}

/** Answers are compared by rule: what is studied are calls. @throws TrainerError `config`, `missing`, `invalid` */
export async function openStudy({ source, student, teacher, seed }: StudyFlags): Promise<Study> {
  const loaded = source === undefined ? undefined : loadConfig(source);
  const config = loaded?.config;
  if (config && !config.data.nanoCharts)
    throw new TrainerError("config", `${source}: only nano-charts tell which calls are right; set data.nanoCharts`);
  const models = {
    student: await modelOf(student, config ? config.model : { directory: shippedModels["nano-student"]! }),
    teacher: await modelOf(teacher, config ? config.teacher : { directory: shippedModels["nano-teacher"]! }),
  };
  const options = config
    ? { ...config.environment, scoring: { ...config.environment.scoring, scoring: "relaxed" as const } }
    : { prompt: "compact" as const };
  const charts = { seed: 1, names: "words" as const, ...config?.data.nanoCharts, ...(seed !== undefined && { seed }) };
  return {
    loaded,
    student: models.student!,
    teacher: models.teacher,
    charts: await createNanoCharts(charts),
    environment: createEnvironment({ options }),
    iapo: config?.iapo ?? iapoPresets.occlusion,
  };
}

async function modelOf(
  name: string | undefined,
  configured: ModelSource | undefined,
): Promise<ModelSource | undefined> {
  if (name !== undefined) return namedModel(name);
  if (configured?.directory !== undefined && configured.initialize === undefined)
    await checkModelDirectory(configured.directory);
  return configured;
}

/** By the name of a shipped one, or a path. @throws TrainerError `missing`, `invalid` */
export async function namedModel(name: string): Promise<ModelSource> {
  const directory = directoryOf(name);
  await checkModelDirectory(directory);
  return { directory };
}

function directoryOf(name: string): string {
  const directory = shippedModels[name] ?? resolve(name);
  if (existsSync(directory)) return directory;
  const near = nearest(name, Object.keys(shippedModels));
  const hint =
    near === undefined ? `shipped models are ${Object.keys(shippedModels).join(", ")}` : `did you mean ${near}?`;
  throw new TrainerError("missing", `${directory}: there is no such directory or shipped model; ${hint}`);
}

/** The tools that a prompt defines, by the axis that they are for. */
export function toolsByAxis(prompt: readonly PromptBlock[]): Record<Orientation, string[]> {
  const names = prompt.flatMap((block) => (block.kind === "tool" && block.tool !== undefined ? [block.tool] : []));
  const of = (pattern: RegExp): string[] => names.filter((name) => pattern.test(name));
  return { columns: of(/^focus_on_(?:columns|x_values)_/), rows: of(/^focus_on_(?:rows|y_values)_/) };
}

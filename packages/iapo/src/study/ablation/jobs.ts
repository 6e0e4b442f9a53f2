// The queue's jobs: each configuration with each seed, and what it needs first. Plain data in, plain data out; nothing is run here.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { grpoSettingsSchema } from "@iapo/grpo/config";
import {
  comparableRecipes,
  type ExperimentRecipe,
  nanoRecipes,
  type RecipeConfig,
  type RecipeModel,
  recipes,
} from "../../recipes/index.ts";
import { type AblationJob, modelName, modelPath } from "./places.ts";

export interface JobOptions {
  /** Names of nano recipes; the sixteen where it is left out. */
  readonly only?: readonly string[] | undefined;
  readonly seeds: readonly number[];
  /** In place of the recipes' number of steps. */
  readonly steps: number | undefined;
  /** Directories of models by name; other names are paths. */
  readonly models: ReadonlyMap<string, string>;
  /** Where runs are made. */
  readonly directory: string;
}

/** Preparations first, then by seed, so that a queue that is stopped early has all configurations. */
export function ablationJobs(options: JobOptions): AblationJob[] {
  const { only } = options;
  const chosen = only ? comparableRecipes.filter(({ name }) => only.includes(name)) : nanoRecipes;
  const [firstSeed = 1] = options.seeds;
  const needed = new Set(chosen.flatMap(({ needs = [] }) => needs));
  const preparations = [...recipes.values()].filter(({ name }) => needed.has(name));
  return [
    ...preparations.map((recipe) => jobOf(recipe, firstSeed, options, true)),
    ...options.seeds.flatMap((seed) => chosen.map((recipe) => jobOf(recipe, seed, options, false))),
  ];
}

function jobOf(recipe: ExperimentRecipe, seed: number, options: JobOptions, isPreparation: boolean): AblationJob {
  const { name, config, needs } = recipe;
  const steps = stepsOf(recipe, options);
  const teacher = teacherOf(recipe, options);
  return {
    id: `${name}-seed-${seed}`,
    ...{ recipe, seed, steps, isPreparation },
    config: {
      ...config,
      model: placed(config.model, options),
      ...(teacher && { teacher }),
      ...(config.supervised
        ? { supervised: { ...config.supervised, seed, steps } }
        : { grpo: { ...config.grpo, seed, steps } }),
    },
    needs: needs === undefined ? undefined : `${needs}-seed-${options.seeds[0]}`,
    unavailable: [config.model, ...(needs === undefined && config.teacher ? [config.teacher] : [])].flatMap((model) =>
      missing(model, options),
    )[0],
  };
}

/** What is learned from examples has its own number. */
function stepsOf({ config }: ExperimentRecipe, { steps }: JobOptions): number {
  if (config.supervised) return config.supervised.steps;
  return steps ?? grpoSettingsSchema.parse(config.grpo).steps;
}

/** The recipe's, or what a job has made. */
function teacherOf({ config, needs }: ExperimentRecipe, options: JobOptions): RecipeModel | undefined {
  const maker = needs === undefined ? undefined : recipes.get(needs);
  if (!maker) return config.teacher && placed(config.teacher, options);
  const name = modelName(`${maker.name}-seed-${options.seeds[0]}`, stepsOf(maker, options));
  return { directory: modelPath(options.directory, name) };
}

function placed<Model extends RecipeModel>(model: Model, { models }: JobOptions): Model {
  return model.directory === undefined ? model : { ...model, directory: modelDirectory(model.directory, models) };
}

function modelDirectory(name: string, models: JobOptions["models"]): string {
  return models.get(name) ?? resolve(name);
}

/** Models that runs begin with or look up to, with weights of their own, where they are there: they are measured as they are. */
export function modelsAsTheyAre(jobs: readonly AblationJob[], models: JobOptions["models"]): AblationModel[] {
  const references = jobs.flatMap(({ recipe: { config, needs } }) =>
    (needs === undefined && config.teacher ? [config.model, config.teacher] : [config.model]).flatMap(
      ({ directory, initialize }) =>
        directory === undefined || initialize !== undefined ? [] : [{ id: directory, config }],
    ),
  );
  return references.flatMap(({ id, config }, place) => {
    const path = modelDirectory(id, models);
    const isFirst = references.findIndex((one) => one.id === id) === place;
    return isFirst && existsSync(path) ? [{ id, path, config }] : [];
  });
}

export interface AblationModel {
  readonly id: string;
  readonly path: string;
  /** Of a run that it takes part in: in its environment the model is measured. */
  readonly config: RecipeConfig;
}

function missing({ directory }: RecipeModel, { models }: JobOptions): string[] {
  return directory === undefined || existsSync(modelDirectory(directory, models))
    ? []
    : [`there is no model ${directory}; give one by --model ${directory}=DIRECTORY`];
}

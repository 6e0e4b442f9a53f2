// The queue's jobs: each configuration with each seed, and what it needs first. Plain data in, plain data out; nothing is run here.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { grpoSettingsSchema } from "@iapo/grpo/config";
import { type ExperimentRecipe, nanoRecipes, type RecipeModel, recipes } from "@iapo/iapo/recipes";
import { type AblationJob, modelName, modelPath } from "@iapo/iapo/study";
import { nearest } from "@iapo/run-config";
import { shippedModels } from "../config/shipped.ts";
import { TrainerError } from "../error.ts";

export interface JobOptions {
  /** Names of configurations; all where it is left out. */
  readonly only: readonly string[] | undefined;
  readonly seeds: readonly number[];
  /** In place of the recipes' number of steps. */
  readonly steps: number | undefined;
  /** Directories in place of models of these names. */
  readonly models: ReadonlyMap<string, string>;
  /** Where runs are made. */
  readonly directory: string;
}

/** Preparations first, then by seed, so that a queue that is stopped early has all configurations. @throws TrainerError `argument` */
export function ablationJobs(options: JobOptions): AblationJob[] {
  const chosen = chooseRecipes(options.only);
  const [firstSeed = 1] = options.seeds;
  const needed = new Set(chosen.flatMap(({ needs = [] }) => needs));
  const preparations = [...recipes.values()].filter(({ name }) => needed.has(name));
  return [
    ...preparations.map((recipe) => jobOf(recipe, firstSeed, options, true)),
    ...options.seeds.flatMap((seed) => chosen.map((recipe) => jobOf(recipe, seed, options, false))),
  ];
}

/** With or without the `nano-` that all begin with. */
function chooseRecipes(only: readonly string[] | undefined): readonly ExperimentRecipe[] {
  if (!only) return nanoRecipes;
  const names = nanoRecipes.map(({ name }) => name);
  const wanted = only.map((given) => {
    const name = names.find((known) => known === given || known === `nano-${given}`);
    if (name !== undefined) return name;
    const short = names.map((known) => known.replace(/^nano-/, ""));
    const near = nearest(given, [...names, ...short]);
    const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
    throw new TrainerError("argument", `there is no configuration ${given}${hint}; there are: ${short.join(", ")}`);
  });
  return nanoRecipes.filter(({ name }) => wanted.includes(name));
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
      grpo: { ...config.grpo, seed, steps },
    },
    needs: needs === undefined ? undefined : `${needs}-seed-${options.seeds[0]}`,
    unavailable: [config.model, ...(needs === undefined && config.teacher ? [config.teacher] : [])].flatMap((model) =>
      missing(model, options),
    )[0],
  };
}

function stepsOf({ config }: ExperimentRecipe, { steps }: JobOptions): number {
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

/** By a name that was given one, a shipped model's name, or a path. */
export function modelDirectory(name: string, models: JobOptions["models"]): string {
  return models.get(name) ?? shippedModels.get(name) ?? resolve(name);
}

function missing({ directory }: RecipeModel, { models }: JobOptions): string[] {
  return directory === undefined || existsSync(modelDirectory(directory, models))
    ? []
    : [`there is no model ${directory}; give one by --model ${directory}=DIRECTORY`];
}

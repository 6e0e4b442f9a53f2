// The queue's jobs: each configuration with each seed, and what it needs first. Plain data in, plain data out; nothing is run here.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { grpoSettingsSchema } from "@iapo/grpo/config";
import { type ExperimentRecipe, type ModelReference, nanoPreparations, nanoRecipes } from "@iapo/iapo";
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
  const needed = new Set(chosen.flatMap(({ student, teacher }) => [student, teacher].flatMap(runOf)));
  const preparations = nanoPreparations.filter(({ name }) => needed.has(name));
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
  const { name, student, teacher, grpo, iapo, baseline } = recipe;
  const steps = stepsOf(recipe, options);
  const needs = [student, teacher].flatMap(runOf)[0];
  const config = {
    extends: "nano-grpo",
    model: modelOf(student, options),
    ...(teacher && { teacher: modelOf(teacher, options) }),
    grpo: { ...grpo, seed, steps },
    ...(iapo && { iapo }),
    ...(baseline && { baseline }),
  };
  return {
    id: `${name}-seed-${seed}`,
    ...{ recipe, seed, steps, config, isPreparation },
    needs: needs === undefined ? undefined : `${needs}-seed-${options.seeds[0]}`,
    unavailable: [student, teacher].flatMap((model) => (model ? missing(model, options) : []))[0],
  };
}

function stepsOf({ grpo }: ExperimentRecipe, { steps }: JobOptions): number {
  return steps ?? grpoSettingsSchema.parse(grpo).steps;
}

function modelOf(reference: ModelReference, options: JobOptions): object {
  if ("hub" in reference) return reference;
  if ("directory" in reference) return { ...reference, directory: pathOf(reference.directory, options.models) };
  const made = nanoPreparations.find(({ name }) => name === reference.run)!;
  const name = modelName(`${made.name}-seed-${options.seeds[0]}`, stepsOf(made, options));
  return { directory: modelPath(options.directory, name) };
}

function runOf(reference: ModelReference | undefined): string[] {
  return reference && "run" in reference ? [reference.run] : [];
}

function pathOf(name: string, models: JobOptions["models"]): string {
  return models.get(name) ?? shippedModels.get(name) ?? resolve(name);
}

function missing(reference: ModelReference, { models }: JobOptions): string[] {
  if (!("directory" in reference)) return [];
  const path = pathOf(reference.directory, models);
  return existsSync(path)
    ? []
    : [`there is no model ${reference.directory}; give one by --model ${reference.directory}=DIRECTORY`];
}

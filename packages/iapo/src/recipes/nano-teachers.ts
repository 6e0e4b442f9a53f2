// Table 2 and Table 3 for the anchored penalty, and the teachers that they ask for: small models made from the shipped ones, by examples or by GRPO.
import { anchored, grpo, trainedTeacher } from "./nano.ts";
import { type ExperimentRecipe, madeModel, type RecipeConfig, type RecipeModel } from "./types.ts";

/** Whole demonstrations, a tenth each of captions and of charts under other names. */
function byExamples(
  name: string,
  title: string,
  directory: string,
  steps: number,
  style: RecipeConfig["data"]["nanoCharts"]["style"] = {},
): ExperimentRecipe {
  return {
    name,
    title,
    source: "Table 2",
    config: {
      model: { directory, dtype: "f32" },
      data: { nanoCharts: { ...grpo.data.nanoCharts, style } },
      environment: { prompt: "compact" },
      supervised: {
        ...{ seed: 1, steps, batchSize: 16 },
        mixture: { captions: 0.1, renamed: 0.1 },
        optimizer: {
          ...{ learningRate: 5e-4, schedule: "cosine", warmupSteps: 20, totalSteps: steps },
          ...{ betas: [0.9, 0.98], weightDecay: 0.05 },
        },
        checkpoint: { every: 100, keep: 1 },
      },
    },
  };
}

/** Made by `iapo sft` and exported, for others to name. */
const makers = {
  supervised: byExamples(
    "nano-make-teacher-supervised",
    "The nano student, taught by right demonstrations alone",
    "nano-student",
    300,
  ),
  masks: byExamples("nano-make-teacher-masks", "The nano teacher, taught to use masks alone", "nano-teacher", 300, {
    effects: ["mask"],
  }),
  variables: byExamples(
    "nano-make-teacher-variables",
    "The nano teacher, taught to write programs with a variable",
    "nano-teacher",
    600,
    { program: "variable" },
  ),
} as const;

function beside(
  name: string,
  words: string,
  { needs, teacher }: { readonly needs?: string; readonly teacher: RecipeModel },
): ExperimentRecipe {
  return {
    name: `nano-anchored-teacher-${name}`,
    title: `IAPO, anchored, ${words}`,
    source: "Table 2",
    config: { ...anchored.config, teacher },
    ...(needs !== undefined && { needs }),
  };
}

const made = (needs: string) => ({ needs, teacher: { directory: madeModel(needs) } });

const teachers: readonly ExperimentRecipe[] = [
  beside("untrained", "teacher with random weights", { teacher: { directory: "nano-base", initialize: 0 } }),
  beside("supervised", "teacher taught by demonstrations alone", made(makers.supervised.name)),
  beside("grpo", "teacher trained on by GRPO", made(trainedTeacher)),
  beside("larger", "larger teacher", { teacher: { directory: "nano-teacher-large" } }),
  // No recipe makes it: it goes to school in stages, by apps/trainer/recipes/nano/train.ts (README of nano-vl).
  beside("qwen3-vl", "teacher of another family, in the shape of Qwen3-VL", {
    teacher: { directory: madeModel("nano-teacher-qwen3-vl") },
  }),
  beside("masks", "teacher that uses masks alone", made(makers.masks.name)),
  beside("variables", "teacher that writes programs in another form", made(makers.variables.name)),
];

/** 0.5 is `anchored`'s. */
const lambdas: readonly ExperimentRecipe[] = [0.1, 0.25, 1, 2].map((lambda) => ({
  name: `nano-anchored-lambda-${String(lambda).replace(".", "-")}`,
  title: `IAPO, anchored, lambda ${lambda}`,
  source: "Table 3",
  config: { ...anchored.config, iapo: { preset: "anchored", lambda } },
}));

export const nanoAnchoredRecipes: readonly ExperimentRecipe[] = [...teachers, ...lambdas];

export const nanoTeacherMakers: readonly ExperimentRecipe[] = Object.values(makers);

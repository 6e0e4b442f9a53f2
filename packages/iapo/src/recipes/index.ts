// The one book of recipes: complete configurations, by name. Imports no GPU code.
import { furtherNanoRecipes, nanoRecipes } from "./nano.ts";
import { nanoAnchoredRecipes, nanoTeacherMakers } from "./nano-teachers.ts";
import { paperRecipes } from "./paper.ts";
import type { ExperimentRecipe } from "./types.ts";

export { nanoRecipes } from "./nano.ts";
export { nanoAnchoredRecipes } from "./nano-teachers.ts";
export { paperRecipes } from "./paper.ts";
export { type ExperimentRecipe, madeModel, type RecipeConfig, type RecipeModel } from "./types.ts";

/** All of them, in the order of a list. */
export const recipes: ReadonlyMap<string, ExperimentRecipe> = new Map(
  [...nanoRecipes, ...furtherNanoRecipes, ...nanoAnchoredRecipes, ...nanoTeacherMakers, ...paperRecipes].map(
    (recipe) => [recipe.name, recipe],
  ),
);

/** What can be compared with the sixteen: every recipe that trains the nano student by rewards. */
export const comparableRecipes: readonly ExperimentRecipe[] = [
  ...nanoRecipes,
  ...furtherNanoRecipes.filter(({ config }) => config.grpo !== undefined && config.model.directory === "nano-student"),
  ...nanoAnchoredRecipes,
];

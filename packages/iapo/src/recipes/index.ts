// The one book of recipes: complete configurations, by name. Imports no GPU code.
import { furtherNanoRecipes, nanoRecipes } from "./nano.ts";
import { paperRecipes } from "./paper.ts";
import type { ExperimentRecipe } from "./types.ts";

export { nanoRecipes } from "./nano.ts";
export { paperRecipes } from "./paper.ts";
export { type ExperimentRecipe, madeModel, type RecipeConfig, type RecipeModel } from "./types.ts";

/** All of them, in the order of a list. */
export const recipes: ReadonlyMap<string, ExperimentRecipe> = new Map(
  [...nanoRecipes, ...furtherNanoRecipes, ...paperRecipes].map((recipe) => [recipe.name, recipe]),
);

// Some recipes are there twice: as files, to run and extend, and as data, for the queue of experiments. Both say the same.
import { nanoRecipes, resolveRecipe } from "@iapo/iapo";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { recipes } from "../../src/config/recipes.ts";

const twice = nanoRecipes.filter(({ name }) => recipes.has(name));

test("those that are there twice", () => {
  const names = ["nano-grpo", "nano-iapo-occlusion", "nano-iapo-paper", "nano-torl", "nano-trm"];
  expect(twice.map(({ name }) => name).sort()).toEqual(names);
});

test.each(twice.map((recipe) => [recipe.name, recipe] as const))("%s", (name, recipe) => {
  const { grpo, iapo, baseline } = loadConfig(name).config;
  const data = resolveRecipe(recipe);
  // A queue gives the seed, has no use for more than the last checkpoint, and starts with a student that calls tools.
  expect({ ...grpo, seed: 0, checkpoint: data.grpo.checkpoint }).toEqual(data.grpo);
  expect(grpo.checkpoint.every).toBe(data.grpo.checkpoint.every);
  expect(iapo && { ...iapo, coldStartSteps: 0 }).toEqual(data.iapo && { ...data.iapo, coldStartSteps: 0 });
  expect(baseline).toEqual(data.baseline);
});

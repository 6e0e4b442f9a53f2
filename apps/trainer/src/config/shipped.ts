// What ships with the program and has a name: recipes to run or extend, and the nano models.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { baseDirectory, largeTeacherDirectory, studentDirectory, teacherDirectory } from "@iapo/nano-vl";

const recipes = fileURLToPath(new URL("../../recipes/", import.meta.url));

/** Names of the shipped recipes. */
export function recipeNames(): string[] {
  return readdirSync(recipes)
    .flatMap((file) => (file.endsWith(".yaml") ? [file.slice(0, -".yaml".length)] : []))
    .sort();
}

/** The file of a recipe's name; undefined where none has it. */
export function recipeFile(name: string): string | undefined {
  const file = join(recipes, `${name}.yaml`);
  return /^[\w-]+$/.test(name) && existsSync(file) ? file : undefined;
}

/** Directories by name. `nano-base` has no weights: it goes with `initialize`. */
export const shippedModels: Readonly<Record<string, string>> = {
  "nano-base": baseDirectory,
  "nano-student": studentDirectory,
  "nano-teacher": teacherDirectory,
  "nano-teacher-large": largeTeacherDirectory,
};

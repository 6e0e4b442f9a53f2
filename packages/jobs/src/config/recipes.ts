// Recipes by name, as configurations to load and extend.
import { recipes as book } from "@iapo/iapo/recipes";

export const recipes: ReadonlyMap<string, object> = new Map([...book].map(([name, { config }]) => [name, config]));

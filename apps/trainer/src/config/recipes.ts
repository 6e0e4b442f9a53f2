// Recipes by name.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const folder = fileURLToPath(new URL("../../recipes/", import.meta.url));

export const recipes: ReadonlyMap<string, object> = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => [file.slice(0, -".yaml".length), parse(readFileSync(`${folder}${file}`, "utf8")) as object]),
);

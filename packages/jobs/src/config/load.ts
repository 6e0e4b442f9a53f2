// Configurations of jobs: their schema, the paths in it, the recipes by name.
import { type Config, defineConfig, type LoadedConfig as Loaded } from "@iapo/run-config";
import { pathKeys } from "./paths.ts";
import { recipes } from "./recipes.ts";
import { renamed } from "./renamed.ts";
import { type JobConfig, jobConfigSchema } from "./schema.ts";

export type LoadedConfig = Loaded<JobConfig>;

export const jobConfig: Config<JobConfig> = defineConfig({
  title: "iapo configuration",
  schema: jobConfigSchema,
  recipes,
  listing: "`iapo recipes` lists the recipes",
  paths: pathKeys,
  renamed,
  directory: { file: "config.yaml", key: "output" },
});

/** By a recipe's name, a file, or the directory of a run. @throws ConfigError with file, line and the nearest known key */
export function loadConfig(source: string, assignments: readonly string[] = []): LoadedConfig {
  return jobConfig.load(source, assignments);
}

// From a configuration's name, and what the command line sets, to settings that are checked from end to end.
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { TrainerError } from "../error.ts";
import { mergeLayers, problemsOf, report } from "./explain.ts";
import { schemasAt } from "./json-schema.ts";
import { type Layer, type Path, type Problem, setLayer, yamlLayer } from "./layer.ts";
import { nearest } from "./nearest.ts";
import { problemsOfPaths, withAbsolutePaths } from "./paths.ts";
import { type TrainerConfig, trainerConfigSchema } from "./schema.ts";
import { recipeFile, recipeNames } from "./shipped.ts";

export interface LoadedConfig {
  /** Without folders and ending. */
  readonly name: string;
  readonly config: TrainerConfig;
  /** As written, with all that it extends and --set put in and absolute paths: it can be loaded again from anywhere. */
  readonly resolved: unknown;
}

/** Configurations are written by hand. */
const MOST_BYTES = 2 ** 20;
const DEEPEST = 16;

/**
 * Loads a configuration.
 * @param source a file, a shipped recipe's name, or the directory of a run, whose configuration it was started with
 * @param assignments such as `grpo.steps=20`; paths in them are relative to the working directory
 * @throws TrainerError `config` with file, line and the nearest known key
 */
export function loadConfig(source: string, assignments: readonly string[] = []): LoadedConfig {
  const file = fileOf(source, ".");
  const layers = [
    ...fileLayers(file, []),
    ...outputOf(source, file),
    ...assignments.map((text) => withAbsolutePaths(orRefuse(setLayer(text)), ".")),
  ];
  const resolved = withoutEmpty(mergeLayers(layers), []);
  const parsed = trainerConfigSchema.safeParse(resolved);
  const problems = [...problemsOf(parsed.error?.issues ?? [], layers), ...problemsOfPaths(layers)];
  if (!parsed.success || problems.length > 0) throw refusal(problems);
  return { name: nameOf(file), config: parsed.data, resolved };
}

/** A run stays in its directory, wherever that was moved to. */
function outputOf(source: string, file: string): Layer[] {
  const isRun = resolve(source) === dirname(resolve(file));
  return isRun ? [{ data: { output: resolve(source) }, locate: () => undefined }] : [];
}

/** A run's own configuration is called as its directory. */
function nameOf(file: string): string {
  const name = basename(file, extname(file));
  return name === "config" ? basename(dirname(resolve(file))) : name;
}

function fileOf(source: string, base: string): string {
  const recipe = recipeFile(source);
  if (recipe !== undefined) return recipe;
  const file = resolve(base, source);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isDirectory()) return join(file, "config.yaml");
  if (found) return file;
  const near = nearest(source, recipeNames());
  const advice =
    near === undefined ? `shipped recipes are ${recipeNames().join(", ")}` : `did you mean the recipe ${near}?`;
  throw new TrainerError("config", `${source}: there is no such file or recipe; ${advice}`);
}

/** The file's own settings on top of those that it extends. */
function fileLayers(file: string, extending: readonly string[]): Layer[] {
  const shown = shortest(file);
  if (extending.includes(file)) {
    throw new TrainerError("config", `${shown} extends itself: ${[...extending, file].map(shortest).join(" -> ")}`);
  }
  if (extending.length >= DEEPEST)
    throw new TrainerError("config", `${shown}: more than ${DEEPEST} files extend one another`);
  const layer = orRefuse(yamlLayer(readText(file, shown), shown));
  const { extends: base, ...data } = layer.data as Record<string, unknown>;
  const own = withAbsolutePaths({ data, locate: layer.locate }, dirname(file));
  if (base === undefined || base === null) return [own];
  const place = layer.locate(["extends"], "value")?.place;
  if (typeof base !== "string") throw refusal([{ message: "extends takes the name of a recipe or a file", place }]);
  let below: string;
  try {
    below = fileOf(base, dirname(file));
  } catch (error) {
    throw error instanceof TrainerError ? refusal([{ message: error.message, place }]) : error;
  }
  return [...fileLayers(below, [...extending, file]), own];
}

function readText(file: string, shown: string): string {
  try {
    if (statSync(file).size > MOST_BYTES)
      throw new Error(`it is larger than a configuration can be (${MOST_BYTES} bytes)`);
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    throw new TrainerError("config", `${shown} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** A key without a value counts as left out, so that it can also take back what the file below says; unless null is a value there. */
function withoutEmpty(value: unknown, path: Path): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(
    ([key, inner]) => inner !== null || schemasAt([...path, key]).some(({ type }) => type === "null"),
  );
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutEmpty(inner, [...path, key])]));
}

function orRefuse(layer: Layer | Problem[]): Layer {
  if (Array.isArray(layer)) throw refusal(layer);
  return layer;
}

function refusal(problems: readonly Problem[]): TrainerError {
  return new TrainerError("config", `the configuration cannot be used\n${report(problems)}`);
}

/** Relative to the working directory where that is shorter. */
function shortest(file: string): string {
  const short = relative(".", file);
  return short.length < file.length ? short : file;
}

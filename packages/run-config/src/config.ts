// From a configuration's name, and what the command line sets, to settings that are checked from end to end.
import { type Stats, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { stringify } from "yaml";
import type { z } from "zod";
import { ConfigError } from "./error.ts";
import { jsonSchemaOf, jsonSchemaOfFile, type SchemaNode, schemasAt } from "./json-schema.ts";
import { isMapping, type Layer, mergeLayers, type Path, type Problem } from "./layer.ts";
import { nearest } from "./nearest.ts";
import { type PathKey, problemsOfPaths, withAbsolutePaths } from "./paths.ts";
import { problemsOf } from "./problems.ts";
import { readText } from "./read-text.ts";
import type { Renamed } from "./renamed.ts";
import { setLayer } from "./set-layer.ts";
import { printable, showProblems } from "./show.ts";
import { yamlLayer } from "./yaml-layer.ts";

export interface ConfigDefinition<T> {
  /** Of the JSON Schema. */
  readonly title: string;
  /** A strict schema: what it does not name is refused. */
  readonly schema: z.ZodType<T, unknown>;
  /** Plain data by name, which can be loaded and extended as a file can. Paths in it are relative to the working directory. */
  readonly recipes?: ReadonlyMap<string, object>;
  /** How recipes are listed, such as "`run recipes` lists them". */
  readonly listing?: string;
  readonly paths?: readonly PathKey[];
  readonly renamed?: readonly Renamed[];
  /** A directory stands for this file in it; then `key` is the directory, wherever that was moved to. */
  readonly directory?: { readonly file: string; readonly key: string };
}

export interface LoadedConfig<T> {
  /** Of the recipe, or of the file or directory without folders and ending. */
  readonly name: string;
  readonly config: T;
  /** As written, with all that it extends and --set put in and absolute paths: it can be loaded again from anywhere. */
  readonly resolved: unknown;
}

export interface Config<T> {
  /**
   * @param source a recipe's name, a file, or a directory
   * @param assignments such as `section.key=20`; paths in them are relative to the working directory
   * @throws ConfigError `invalid`, `missing`, `unreadable`, with file, line and the nearest known key
   */
  load(source: string, assignments?: readonly string[]): LoadedConfig<T>;
  /** Plain data that was recorded, such as a run's settings. @throws ConfigError `invalid`, without places */
  check(data: unknown): T;
  /** Of a file: JSON Schema, draft 2020-12. */
  readonly jsonSchema: SchemaNode;
}

/** Files that extend one another, at most. */
const DEEPEST = 16;

export function defineConfig<T>(definition: ConfigDefinition<T>): Config<T> {
  const {
    title,
    schema,
    recipes = new Map<string, object>(),
    paths = [],
    renamed = [],
    directory,
    listing,
  } = definition;
  const root = jsonSchemaOf(schema);

  /** A recipe's name stays as it is; anything else becomes an absolute path. @throws ConfigError `missing` */
  function find(source: string, base: string): string {
    if (recipes.has(source)) return source;
    const file = resolve(base, source);
    const found = lookAt(file, source);
    if (found?.isDirectory() && directory) return join(file, directory.file);
    if (found) return file;
    const near = nearest(source, [...recipes.keys()]);
    const hint = near === undefined ? listing : `did you mean the recipe ${near}?`;
    const what = `${printable(source)}: there is no such file or recipe`;
    throw new ConfigError("missing", hint === undefined ? what : `${what}; ${hint}`);
  }

  /** The source's own settings on top of those that it extends. */
  function layersOf(source: string, extending: readonly string[]): Layer[] {
    const recipe = recipes.get(source);
    const shown = recipe ? `recipe ${source}` : shortest(source);
    if (extending.includes(source)) {
      const circle = [...extending, source].map(shortest).join(" -> ");
      throw new ConfigError("invalid", `${shown} extends itself: ${circle}`);
    }
    if (extending.length >= DEEPEST)
      throw new ConfigError("invalid", `${shown}: more than ${DEEPEST} files extend one another`);
    const base = recipe ? resolve(".") : dirname(source);
    const layer = orRefuse(yamlLayer(recipe ? stringify(recipe) : readText(source, shown), shown, base));
    const { extends: below, ...data } = isMapping(layer.data) ? layer.data : {};
    const own = withAbsolutePaths({ ...layer, data }, paths);
    if (below === undefined || below === null) return [own];
    const place = layer.locate(["extends"], "value")?.place;
    if (typeof below !== "string") throw refusal([{ message: "extends takes the name of a recipe or a file", place }]);
    let found: string;
    try {
      found = find(below, base);
    } catch (error) {
      throw error instanceof ConfigError ? refusal([{ message: error.message, place }]) : error;
    }
    return [...layersOf(found, [...extending, source]), own];
  }

  /** The setting that says where a directory is now. */
  function moved(source: string, file: string): Layer[] {
    const path = resolve(source);
    if (!directory || recipes.has(source) || file !== join(path, directory.file)) return [];
    return [{ data: { [directory.key]: path }, base: path, locate: () => undefined }];
  }

  function nameOf(source: string, file: string): string {
    if (recipes.has(source)) return source;
    return basename(file) === directory?.file ? basename(dirname(file)) : basename(file, extname(file));
  }

  /** A key without a value counts as left out, so that it can also take back what the file below says; unless null is a value there. */
  function withoutEmpty(value: unknown, path: Path): unknown {
    if (!isMapping(value)) return value;
    const kept = Object.entries(value).filter(
      ([key, inner]) => inner !== null || schemasAt(root, [...path, key]).some(({ type }) => type === "null"),
    );
    return Object.fromEntries(kept.map(([key, inner]) => [key, withoutEmpty(inner, [...path, key])]));
  }

  return {
    jsonSchema: jsonSchemaOfFile(root, title),
    check(data) {
      const parsed = schema.safeParse(data);
      const layer: Layer = { data, base: resolve("."), locate: () => undefined };
      if (!parsed.success) throw refusalOf(problemsOf(parsed.error.issues, [layer], { root, renamed }));
      return parsed.data;
    },
    load(source, assignments = []) {
      const file = find(source, ".");
      const layers = [
        ...layersOf(file, []),
        ...moved(source, file),
        ...assignments.map((text) => withAbsolutePaths(orRefuse(setLayer(text, root, resolve("."))), paths)),
      ];
      const resolved = withoutEmpty(mergeLayers(layers), []);
      const parsed = schema.safeParse(resolved);
      const problems = [
        ...problemsOf(parsed.error?.issues ?? [], layers, { root, renamed }),
        ...problemsOfPaths(layers, paths).map((problem) => () => problem),
      ];
      if (!parsed.success || problems.length > 0) throw refusalOf(problems);
      return { name: nameOf(source, file), config: parsed.data, resolved };
    },
  };
}

function orRefuse(layer: Layer | Problem[]): Layer {
  if (Array.isArray(layer)) throw refusal(layer);
  return layer;
}

function refusal(problems: readonly Problem[]): ConfigError {
  return refusalOf(problems.map((problem) => () => problem));
}

function refusalOf(problems: readonly (() => Problem)[]): ConfigError {
  return new ConfigError("invalid", `the configuration cannot be used\n${showProblems(problems)}`);
}

/** Relative to the working directory where that is shorter. */
function shortest(file: string): string {
  const short = relative(".", file);
  return short.length < file.length ? short : file;
}

/** @throws ConfigError `unreadable` such as for a circle of links */
function lookAt(file: string, source: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (cause) {
    throw new ConfigError("unreadable", `${printable(source)} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

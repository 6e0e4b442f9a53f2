// Paths in a configuration are relative to the file they stand in, and what they lead to must be there.
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { isMapping, type Layer, locate, mergeLayers, type Path, type Problem, valueAt } from "./layer.ts";

/** A key whose value is a path. */
export interface PathKey {
  readonly path: readonly string[];
  /** What must be there; nothing need be where it is left out. */
  readonly wants?: {
    /** Such as `model directory`. */
    readonly noun: string;
    readonly kind: "file" | "folder" | "either";
    /** A file that the folder must hold. */
    readonly holds?: string;
  };
  /** Values that stand for paths. */
  readonly names?: ReadonlyMap<string, string>;
  /** Whether it names a module: by path or as a package's, with `#` and a name behind it where that is wanted. */
  readonly module?: boolean;
  /** How what is missing at an absolute path is made, where that is known. */
  readonly advice?: (path: string) => string | undefined;
}

/** The layer with its paths made absolute. */
export function withAbsolutePaths(layer: Layer, pathKeys: readonly PathKey[]): Layer {
  const data = pathKeys.reduce<unknown>(
    (whole, { path, names, module }) =>
      replaceAt(whole, path, (value) => {
        if (isAbsolute(value)) return value;
        return module ? modulePath(value, layer.base) : (names?.get(value) ?? resolve(layer.base, value));
      }),
    layer.data,
  );
  return { ...layer, data };
}

/** What is no file there, and does not begin with a dot, is looked for among the packages. */
function modulePath(value: string, base: string): string {
  const path = resolve(base, value);
  const [file = "", ...name] = value.split("#");
  if (file.startsWith(".") || existsSync(resolve(base, file))) return path;
  try {
    return [createRequire(resolve(base, "config.yaml")).resolve(file), ...name].join("#");
  } catch {
    return path;
  }
}

function replaceAt(value: unknown, [key, ...rest]: Path, change: (value: string) => string): unknown {
  if (key === undefined) return typeof value === "string" && value !== "" ? change(value) : value;
  if (!isMapping(value) || !Object.hasOwn(value, key)) return value;
  return { ...value, [key]: replaceAt(value[key], rest, change) };
}

/** Of every path that leads nowhere, or to something else than it should. */
export function problemsOfPaths(layers: readonly Layer[], pathKeys: readonly PathKey[]): Problem[] {
  const data = mergeLayers(layers);
  return pathKeys.flatMap(({ path, wants, names, module = false, advice }): Problem[] => {
    const value = valueAt(data, path);
    if (typeof value !== "string" || wants === undefined) return [];
    const found = locate(path, "value", layers);
    const place = found?.place;
    const file = module ? value.replace(/#.*$/, "") : value;
    const { noun, kind, holds } = wants;
    if (!existsSync(file)) {
      const base =
        found === undefined || found.layer.base === resolve(".") ? "the working directory" : found.layer.base;
      const hint = names ? `; names are ${[...names.keys()].join(", ")}` : "";
      const relative = `paths are relative to ${base}${hint}`;
      return [{ message: `${file}: there is no such ${noun}`, place, advice: advice?.(file) ?? relative }];
    }
    const isFolder = statSync(file).isDirectory();
    if (kind === "folder" && !isFolder) return [{ message: `${file} is not a folder`, place }];
    if (kind === "file" && isFolder) return [{ message: `${file} is a folder, not a ${noun}`, place }];
    if (holds !== undefined && !existsSync(join(file, holds)))
      return [{ message: `${file} is not a ${noun}: it holds no ${holds}`, place }];
    return [];
  });
}

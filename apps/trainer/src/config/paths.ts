// Paths in a configuration are relative to the file they stand in, and what they lead to must be there.
import { existsSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { locate, mergeLayers } from "./explain.ts";
import type { Layer, Path, Problem } from "./layer.ts";
import { shippedModels } from "./shipped.ts";

interface PathKey {
  readonly path: readonly string[];
  /** What must be there before a run starts. */
  readonly wants: "nothing" | "model" | "file or folder" | "folder" | "module";
}

const pathKeys: readonly PathKey[] = [
  { path: ["output"], wants: "nothing" },
  { path: ["model", "directory"], wants: "model" },
  { path: ["teacher", "directory"], wants: "model" },
  { path: ["teacher", "cache"], wants: "nothing" },
  ...["files", "validation"].flatMap((part): PathKey[] => [
    { path: ["data", part, "path"], wants: "file or folder" },
    { path: ["data", part, "images"], wants: "folder" },
    { path: ["data", part, "tables"], wants: "folder" },
  ]),
  ...["reward", "advantage", "loss"].map((name): PathKey => ({ path: ["grpo", "functions", name], wants: "module" })),
];

/** The layer with its paths made absolute. */
export function withAbsolutePaths(layer: Layer, base: string): Layer {
  const data = pathKeys.reduce<unknown>(
    (whole, { path, wants }) =>
      replaceAt(whole, path, (value) => {
        if (isAbsolute(value)) return value;
        return wants === "model" ? (shippedModels[value] ?? resolve(base, value)) : resolve(base, value);
      }),
    layer.data,
  );
  return { data, locate: layer.locate };
}

function replaceAt(value: unknown, [key, ...rest]: Path, change: (value: string) => string): unknown {
  if (key === undefined) return typeof value === "string" && value !== "" ? change(value) : value;
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, key)) return value;
  return { ...value, [key]: replaceAt((value as Record<PropertyKey, unknown>)[key], rest, change) };
}

/** Of every path that leads nowhere. */
export function problemsOfPaths(layers: readonly Layer[]): Problem[] {
  const data = mergeLayers(layers);
  return pathKeys.flatMap(({ path, wants }): Problem[] => {
    const value = path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], data);
    if (typeof value !== "string" || wants === "nothing") return [];
    const place = locate(path, "value", layers);
    const file = wants === "module" ? value.replace(/#.*$/, "") : value;
    if (!existsSync(file)) {
      const shipped = wants === "model" ? `; shipped models are ${Object.keys(shippedModels).join(", ")}` : "";
      return [
        {
          message: `${file}: there is no such ${nounOf(wants)}`,
          place,
          advice: `paths are relative to ${dirOf(place?.name)}${shipped}`,
        },
      ];
    }
    const isFolder = statSync(file).isDirectory();
    if ((wants === "model" || wants === "folder") && !isFolder) {
      return [{ message: `${file} is not a folder`, place }];
    }
    if (wants === "model" && !existsSync(join(file, "config.json"))) {
      return [{ message: `${file} is not a model's directory: it holds no config.json`, place }];
    }
    return [];
  });
}

function nounOf(wants: PathKey["wants"]): string {
  return wants === "model" ? "model directory" : wants === "module" ? "file" : wants;
}

function dirOf(name: string | undefined): string {
  return name === undefined || name === "command line"
    ? "the working directory"
    : dirname(name.replace(/:\d+:\d+$/, "")) || ".";
}

// The keys of a configuration whose values are paths, and what must be there before a run starts.
import { basename, resolve } from "node:path";
import { madeModel, recipes } from "@iapo/iapo/recipes";
import type { PathKey } from "@iapo/run-config";
import { shippedModels } from "./shipped.ts";

/** Of a model that another recipe makes. */
function howItIsMade(path: string): string | undefined {
  const name = basename(path);
  if (!recipes.has(name) || !path.endsWith(resolve("/", madeModel(name)))) return undefined;
  return `make it first: iapo ${recipes.get(name)?.config.supervised ? "sft" : "train"} ${name}; iapo export runs/${name} --out ${madeModel(name)}`;
}

const model = {
  wants: { noun: "model directory", kind: "folder", holds: "config.json" },
  names: shippedModels,
  advice: howItIsMade,
} as const;

export const pathKeys: readonly PathKey[] = [
  { path: ["output"] },
  { path: ["model", "directory"], ...model },
  { path: ["teacher", "directory"], ...model },
  { path: ["teacher", "cache"] },
  ...["files", "validation"].flatMap((part): PathKey[] => [
    { path: ["data", part, "path"], wants: { noun: "file or folder", kind: "either" } },
    { path: ["data", part, "images"], wants: { noun: "folder", kind: "folder" } },
    { path: ["data", part, "tables"], wants: { noun: "folder", kind: "folder" } },
  ]),
  ...[
    ["environment", "module"],
    ["environment", "tools"],
    ["environment", "tools", "module"],
    ...["reward", "penalty", "advantage", "loss"].map((name) => ["grpo", "functions", name]),
  ].map((path): PathKey => ({ path, wants: { noun: "file or package", kind: "file" }, module: true })),
];

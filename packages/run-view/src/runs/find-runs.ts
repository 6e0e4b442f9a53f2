// What there is to look at below the directories that were named: runs of `iapo train` and `iapo sft`, and evaluations of `iapo eval`.
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { runNames } from "@iapo/run-report";
import { RunViewError } from "../error.ts";

export interface FoundRun {
  /** The directory's own, with as many of those above it as distinguish it. */
  readonly name: string;
  readonly directory: string;
  /** Where its step files lie, and what the index of them is called. */
  readonly steps: string;
  readonly indexName: string;
  readonly kind: "run" | "evaluation";
}

/** Folders of folders of runs, as a study leaves them; deeper ones are not looked into. */
const deepest = 4;
const mostRuns = 500;

/** @throws RunViewError `missing` where a directory is none */
export async function findRuns(directories: readonly string[]): Promise<FoundRun[]> {
  const found: Omit<FoundRun, "name">[] = [];
  for (const directory of directories) {
    const path = resolve(directory);
    await readdir(path).catch((cause: Error) => {
      throw new RunViewError("missing", `${directory} cannot be looked into: ${cause.message}`, { cause });
    });
    await search(path, 0, found);
  }
  const unique = [...new Map(found.map((one) => [one.steps, one])).values()].slice(0, mostRuns);
  const names = runNames(unique.map(({ directory, steps, kind }) => (kind === "run" ? directory : steps)));
  return unique.map((one, i) => ({ ...one, name: names[i] ?? basename(one.directory) }));
}

async function search(directory: string, depth: number, found: Omit<FoundRun, "name">[]): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((): Dirent[] => []);
  const names = new Set(entries.map(({ name }) => name));
  if (names.has("run.json") || (names.has("steps") && names.has("config.yaml"))) {
    found.push({ directory, steps: join(directory, "steps"), indexName: "view-index.jsonl", kind: "run" });
    return;
  }
  if (names.has("eval.json")) {
    const sets = await readdir(join(directory, "traces"), { withFileTypes: true }).catch((): Dirent[] => []);
    for (const { name } of sets.filter((one) => one.isDirectory()))
      found.push({
        directory,
        steps: join(directory, "traces", name),
        indexName: `view-index-${name}.jsonl`,
        kind: "evaluation",
      });
    return;
  }
  if (depth === deepest) return;
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1)))
    if (entry.isDirectory() && entry.name !== "node_modules" && !entry.name.startsWith("."))
      await search(join(directory, entry.name), depth + 1, found);
}

// An evaluation on disk: `eval.json` (what decides the answers), `traces/<set>/`, `verdicts.jsonl` of a judge, `results.json`, `table1.csv`.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { makeDirectory, writeFileAtomic } from "@iapo/rollout-trace/files";
import { EvaluationError } from "./error.ts";

export interface EvaluationPaths {
  readonly settings: string;
  readonly verdicts: string;
  readonly results: string;
  readonly table: string;
  traces(set: string): string;
}

/**
 * Begins a directory, or goes on with the one that these settings made.
 * @throws EvaluationError `settings` for one of others
 */
export async function openEvaluation(directory: string, settings: object): Promise<EvaluationPaths> {
  const paths: EvaluationPaths = {
    settings: join(directory, "eval.json"),
    verdicts: join(directory, "verdicts.jsonl"),
    results: join(directory, "results.json"),
    table: join(directory, "table1.csv"),
    traces: (set) => join(directory, "traces", set),
  };
  await makeDirectory(directory);
  await keepSettings(paths.settings, settings, "an evaluation");
  return paths;
}

/**
 * Writes the settings that decide what a directory holds, or compares them with those that are there.
 * @param what made it, for the message
 * @throws EvaluationError `settings` for others
 */
export async function keepSettings(file: string, settings: object, what: string): Promise<void> {
  const plain: unknown = JSON.parse(JSON.stringify(settings));
  const present = await readFile(file, "utf8").catch(missingIsNothing);
  if (present === undefined) return writeFileAtomic(file, `${JSON.stringify(plain, null, 2)}\n`);
  const found = parse(present);
  if (isDeepStrictEqual(found, plain)) return;
  const keys = Object.keys({ ...found, ...(plain as object) });
  const other = keys.filter((key) => !isDeepStrictEqual(found?.[key], (plain as Record<string, unknown>)[key]));
  throw new EvaluationError(
    "settings",
    `${dirname(file)} holds ${what} of another ${other.join(", ")}; give the same to go on with it, or another --out`,
  );
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function missingIsNothing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}

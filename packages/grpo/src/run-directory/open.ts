// A run on disk: `run.json`, `steps/` (traces and metrics, a file per step), `checkpoints/`, and `timings.jsonl`, which no hash covers.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "@iapo/rollout-trace/files";
import { GrpoError } from "../error.ts";
import { checkSame } from "./compare.ts";
import { findRunRecord, type RunRecord, writeRunRecord } from "./record.ts";

export interface RunPaths {
  readonly steps: string;
  readonly checkpoints: string;
  readonly timings: string;
}

export function runPaths(directory: string): RunPaths {
  return {
    steps: join(directory, "steps"),
    checkpoints: join(directory, "checkpoints"),
    timings: join(directory, "timings.jsonl"),
  };
}

export interface OpenedRun extends RunPaths {
  /** The adapter that the run was begun on, where that is another than now. */
  readonly otherAdapter: string | undefined;
}

/**
 * Begins a run's directory, or checks that the run in it can go on. Whoever calls it holds the directory's lock.
 * @throws GrpoError `exists` for a run that is not to be resumed, or for steps and checkpoints without a `run.json`; `differs`, `invalid`;
 * TraceError `write_failed`
 */
export async function openRunDirectory(directory: string, now: RunRecord, resume: boolean): Promise<OpenedRun> {
  const paths = runPaths(directory);
  const plain: RunRecord = JSON.parse(JSON.stringify(now));
  const record = await findRunRecord(directory);
  if (!record) {
    for (const place of [paths.steps, paths.checkpoints]) await refuseRemains(place);
    await makeDirectory(directory);
    await writeRunRecord(directory, plain);
  } else if (!resume) {
    throw new GrpoError("exists", `${directory} holds a run already; resume it, or choose another directory`);
  } else {
    checkSame(directory, record, plain);
  }
  await makeDirectory(paths.steps);
  await makeDirectory(paths.checkpoints);
  const otherAdapter = record && record.adapter !== plain.adapter ? record.adapter : undefined;
  return { ...paths, otherAdapter };
}

/** Whose they are, only `run.json` could say. */
async function refuseRemains(place: string): Promise<void> {
  const [first] = await readdir(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (first === undefined) return;
  throw new GrpoError(
    "exists",
    `${place} holds ${first}, but there is no run.json beside it that says what made it; put that back, or choose another directory`,
  );
}

// An ablation: a queue of runs that can be stopped and goes on, then its tables and figures.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type JobOptions, modelsAsTheyAre } from "./jobs.ts";
import type { AblationJob } from "./places.ts";
import { type QueueItem, runQueue } from "./queue.ts";
import { writeAblation } from "./report.ts";
import { QueueState } from "./state.ts";
import { measureModel, type WorkOptions, workOn } from "./work.ts";

export interface AblationOptions extends WorkOptions, Pick<JobOptions, "models"> {
  /** Ends the work in order; the same call goes on. */
  readonly signal: AbortSignal;
  /** As it was given, for the tables. */
  readonly command: string;
}

export interface AblationResult {
  /** False where the signal stopped it. */
  readonly finished: boolean;
  readonly items: number;
  readonly done: number;
  /** Ids of items that are tried again by the same call. */
  readonly failed: readonly string[];
  /** The directory of tables and figures. */
  readonly results: string;
}

/** What is done is not done again. @throws IapoError `invalid` for a damaged state; what ends all commands, such as a missing adapter */
export async function runAblation(jobs: readonly AblationJob[], options: AblationOptions): Promise<AblationResult> {
  const { directory, minutes, note, signal, command } = options;
  const state = await QueueState.open(join(directory, "queue.json"));
  const models = modelsAsTheyAre(jobs, options.models);
  const items: QueueItem[] = [
    ...models.map(({ id, path, config }) => ({
      ...{ id, key: keyOf([path, options.tests, options.split, options.set]) },
      run: (stop: AbortSignal) => measureModel(id, path, config, options, stop),
    })),
    ...jobs.map((job) => jobItem(job, options)),
  ];
  const finished = await runQueue(items, state, signal, note);
  const names = models.map(({ id }) => id);
  const results = await writeAblation({ jobs, state, measuring: options, minutes, models: names, command });
  return {
    ...{ finished, results, items: items.length },
    done: items.filter(({ id, key }) => state.isDone(id, key)).length,
    failed: items.filter(({ id }) => state.get(id)?.state === "failed").map(({ id }) => id),
  };
}

function jobItem(job: AblationJob, options: WorkOptions): QueueItem {
  const { id, needs, unavailable, config } = job;
  const { tests, split, minutes, set } = options;
  const key = keyOf([config, set, ...(job.isPreparation ? [] : [tests, split, minutes])]);
  return { id, key, needs, unavailable, run: (signal) => workOn(job, options, signal) };
}

function keyOf(decisive: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
}

// iapo ablate: the paper's experiments at nano scale, by a queue that can be stopped and goes on.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type AblationJob, type QueueItem, QueueState, runQueue, writeAblation } from "@iapo/iapo/study";
import { openDevice } from "@iapo/tensor-core";
import { loadConfig } from "../config/load.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { workIn } from "../run/work-in.ts";
import { ablationJobs, modelDirectory } from "./jobs.ts";
import { measureModel, type WorkOptions, workOn } from "./work.ts";

export interface AblateFlags {
  readonly hours: number | undefined;
  readonly only: readonly string[] | undefined;
  readonly seeds: readonly number[];
  readonly steps: number | undefined;
  readonly minutes: number | undefined;
  readonly tests: number;
  readonly split: "validation" | "test";
  /** Directories by the names that recipes use. */
  readonly models: ReadonlyMap<string, string>;
  readonly set: readonly string[];
  readonly out: string;
  readonly dryRun?: true | undefined;
}

export async function ablate(flags: AblateFlags, io: CliIo): Promise<number> {
  const directory = resolve(flags.out);
  const jobs = ablationJobs({ ...flags, directory });
  checkConfigurations(jobs, flags.set);
  if (flags.dryRun) {
    io.out(
      jobs
        .map(({ id, unavailable }) => `${id}${unavailable === undefined ? "" : `  unavailable: ${unavailable}`}`)
        .join("\n"),
    );
    return ExitCode.done;
  }
  (await openDevice()).close(); // without an adapter nothing is begun
  return workIn(directory, io, async () => {
    const state = await QueueState.open(join(directory, "queue.json"));
    const work: WorkOptions = { ...flags, directory, note: io.note };
    const models = modelsAsTheyAre(jobs, flags);
    const items = [...models.map((model) => measureItem(model, work)), ...jobs.map((job) => jobItem(job, work))];
    const deadline = flags.hours === undefined ? [] : [AbortSignal.timeout(milliseconds(flags.hours))];
    const finished = await runQueue(items, state, AbortSignal.any([io.signal, ...deadline]), io.note);
    const out = await writeAblation({
      ...{ jobs, state, measuring: work, minutes: flags.minutes },
      models: models.map(({ id }) => id),
      command: `iapo ${process.argv.slice(2).join(" ")}`,
    });
    const done = items.filter(({ id, key }) => state.isDone(id, key)).length;
    io.out(`${done} of ${items.length} done; tables and figures: ${out}`);
    const failed = items.filter(({ id }) => state.get(id)?.state === "failed").map(({ id }) => id);
    if (failed.length > 0) io.note(`failed, and tried again by the same command: ${failed.join(", ")}`);
    if (finished) return failed.length > 0 ? ExitCode.failed : ExitCode.done;
    io.note(`${io.signal.aborted ? "interrupted" : "the time is over"}; the same command goes on where it stopped`);
    return io.signal.aborted ? ExitCode.interrupted : ExitCode.done;
  });
}

/** Timers take whole milliseconds, and one of more than 31 bits ends at once. */
function milliseconds(hours: number): number {
  return Math.min(Math.round(hours * 3600e3), 2 ** 31 - 1);
}

/** An assignment that makes no sense, and a directory that holds no model, are found out before the work. @throws TrainerError `config` */
function checkConfigurations(jobs: readonly AblationJob[], set: readonly string[]): void {
  const ready = jobs.filter(({ needs, unavailable }) => needs === undefined && unavailable === undefined);
  const directories = ready.map(({ config }) => (config.model as { directory: string }).directory);
  for (const directory of new Set(directories)) loadConfig("nano-grpo", [`model.directory=${directory}`, ...set]);
}

interface NamedModel {
  readonly id: string;
  readonly path: string;
}

/** Those that runs begin with or look up to, with weights of their own. */
function modelsAsTheyAre(jobs: readonly AblationJob[], { models }: AblateFlags): NamedModel[] {
  const references = jobs.flatMap(({ recipe: { config, needs } }) =>
    needs === undefined && config.teacher ? [config.model, config.teacher] : [config.model],
  );
  const names = references.flatMap(({ directory, initialize }) =>
    directory !== undefined && initialize === undefined ? [directory] : [],
  );
  return [...new Set(names)].flatMap((id) => {
    const path = modelDirectory(id, models);
    return existsSync(path) ? [{ id, path }] : [];
  });
}

function measureItem({ id, path }: NamedModel, work: WorkOptions): QueueItem {
  return { id, key: keyOf([path, work.tests, work.split]), run: (signal) => measureModel(id, path, work, signal) };
}

function jobItem(job: AblationJob, work: WorkOptions): QueueItem {
  const { id, needs, unavailable, config } = job;
  const { tests, split, minutes, set } = work;
  const key = keyOf([config, set, ...(job.isPreparation ? [] : [tests, split, minutes])]);
  return { id, key, needs, unavailable, run: (signal) => workOn(job, work, signal) };
}

function keyOf(decisive: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
}

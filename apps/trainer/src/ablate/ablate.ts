// iapo ablate: the paper's experiments at nano scale, by a queue that can be stopped and goes on.
import { resolve } from "node:path";
import { type AblationJob, ablationJobs, runAblation } from "@iapo/iapo/study";
import { loadConfig, shippedModels } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { workIn } from "../run/work-in.ts";
import { runIapo } from "./child.ts";

export interface AblateFlags {
  readonly hours: number | undefined;
  /** Names of recipes. */
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
  const options = { ...flags, directory, models: new Map([...shippedModels, ...flags.models]) };
  const jobs = ablationJobs(options);
  checkConfigurations(jobs, flags.set);
  if (flags.dryRun) {
    const lines = jobs.map(({ id, unavailable }) => (unavailable ? `${id}  unavailable: ${unavailable}` : id));
    io.out(lines.join("\n"));
    return ExitCode.done;
  }
  (await openAdapter()).close(); // without an adapter nothing is begun
  return workIn(directory, io, async () => {
    const deadline = flags.hours === undefined ? [] : [AbortSignal.timeout(milliseconds(flags.hours))];
    const { finished, items, done, failed, results } = await runAblation(jobs, {
      ...options,
      note: io.note,
      run: runIapo,
      signal: AbortSignal.any([io.signal, ...deadline]),
      command: `iapo ${process.argv.slice(2).join(" ")}`,
    });
    io.out(`${done} of ${items} done; tables and figures: ${results}`);
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

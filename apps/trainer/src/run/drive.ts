// What `train` and `sft` have in common: the run's directory, the device, progress, interrupts, and the result.
import { openDevice } from "@iapo/tensor-core";
import type { LoadedConfig } from "../config/load.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress/progress.ts";
import type { Job } from "./job.ts";
import { openRun, type RunOptions } from "./open-run.ts";
import { type Sitting, sit } from "./sitting.ts";

export interface DriveOptions extends RunOptions {
  readonly json?: boolean | undefined;
}

/** Runs a job to its end, or to the interrupt. @throws what its parts throw; what was checkpointed stands */
export async function drive(loaded: LoadedConfig, job: Job, options: DriveOptions, io: CliIo): Promise<number> {
  using device = await openDevice();
  await using run = await openRun(loaded, options);
  const { directory } = run;
  const { signal } = io;
  const progress = createProgress(io, {
    title: `iapo ${job.command} ${loaded.name} in ${directory}, on ${device.facts.description}`,
    steps: job.steps,
    tokensOf: job.tokensOf,
    memory: () => device.memory(),
    json: options.json ?? false,
  });
  let sitting: Sitting | undefined;
  try {
    sitting = await sit(loaded, job, { run, device, progress, signal, resume: options.resume ?? false });
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    progress.close();
  }
  return tell(directory, job, sitting, options, io);
}

/** The result on standard output, in one line or one object. */
function tell(directory: string, job: Job, sitting: Sitting | undefined, { json }: DriveOptions, io: CliIo): number {
  const { step = 0, first, last } = sitting ?? {};
  const done = step >= job.steps;
  if (json) {
    io.out(JSON.stringify({ event: "end", done, step, steps: job.steps, directory, metrics: last ?? null }));
  } else {
    const changes = ["train/loss", "reward/outcome", "reward/tool_misuse", "val/reward_score"].flatMap((metric) => {
      const [from, to] = [first?.[metric], last?.[metric]];
      return from === undefined || to === undefined ? [] : [`${metric} ${from.toFixed(3)} -> ${to.toFixed(3)}`];
    });
    io.out([`${step} of ${job.steps} steps in ${directory}`, ...changes].join("; "));
  }
  if (!sitting) io.note("interrupted before it began; the same command begins it again");
  else if (!done) io.note(`interrupted; go on with: iapo ${job.command} --resume ${directory}`);
  return done ? ExitCode.done : ExitCode.interrupted;
}

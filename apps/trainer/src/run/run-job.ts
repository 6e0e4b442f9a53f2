// iapo train and iapo sft: a job is run with progress, and its result printed.
import { isInterrupt, type Job, type JobResult, runJob } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-codes.ts";
import { type FleetFlags, openWorkers } from "../fleet/open-workers.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress/progress.ts";

export interface RunFlags extends FleetFlags {
  readonly resume?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Runs a job to its end, or to the interrupt. @throws what its parts throw; what was checkpointed stands */
export async function runWithProgress(
  job: Job,
  { resume, json = false, ...fleetFlags }: RunFlags,
  io: CliIo,
): Promise<number> {
  using device = await openAdapter();
  const progress = createProgress(io, {
    title: `iapo ${job.kind} ${job.name} in ${job.directory}, on ${device.facts.description}`,
    steps: job.steps,
    tokensOf: job.tokensOf,
    memory: () => device.memory(),
    json,
  });
  let result: JobResult | undefined;
  try {
    await using fleet = fleetFlags.fleet === undefined ? undefined : openWorkers(fleetFlags, progress.note);
    result = await runJob(job, {
      device,
      resume,
      fleet: fleet?.options,
      signal: io.signal,
      onPhase: progress.phase,
      onBegin: progress.begin,
      onStep: progress.step,
      onAlarm: progress.alarm,
      onWarning: (message) => progress.note(`! ${message}`),
    });
  } catch (error) {
    if (!isInterrupt(error, io.signal)) throw error;
  } finally {
    progress.close();
  }
  return show(job, result, json, io);
}

/** The result on standard output, in one line or one object. */
function show({ kind, steps, directory }: Job, result: JobResult | undefined, json: boolean, io: CliIo): number {
  const { done = false, step = 0, first, last } = result ?? {};
  if (json) {
    io.out(JSON.stringify({ event: "end", done, step, steps, directory, metrics: last ?? null }));
  } else {
    const changes = ["train/loss", "reward/outcome", "reward/tool_misuse", "val/reward_score"].flatMap((metric) => {
      const [from, to] = [first?.[metric], last?.[metric]];
      return from === undefined || to === undefined ? [] : [`${metric} ${from.toFixed(3)} -> ${to.toFixed(3)}`];
    });
    io.out([`${step} of ${steps} steps in ${directory}`, ...changes].join("; "));
  }
  if (!result) io.note("interrupted before it began; the same command begins it again");
  else if (!done) io.note(`interrupted; go on with: iapo ${kind} --resume ${directory}`);
  return done ? ExitCode.done : ExitCode.interrupted;
}

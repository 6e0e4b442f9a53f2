// iapo train and iapo sft: a job is run with progress, and its result printed.
import type { Crew } from "@iapo/fleet";
import { isInterrupt, type Job, type JobResult, runJob } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-code.ts";
import { type FleetFlags, openWorkers } from "../fleet/open-workers.ts";
import type { CliIo } from "../io.ts";
import { RunLog, type Tracker } from "../log/run-log.ts";
import { createProgress } from "../progress/progress.ts";

export interface RunFlags extends FleetFlags {
  readonly resume?: boolean | undefined;
  readonly json?: boolean | undefined;
  /** Hear of each step. */
  readonly trackers?: readonly Tracker[] | undefined;
}

/** Runs a job to its end, or to the interrupt. @throws what its parts throw; what was checkpointed stands */
export async function runWithProgress(
  job: Job,
  { resume, json = false, trackers = [], ...fleetFlags }: RunFlags,
  io: CliIo,
): Promise<number> {
  using device = await openAdapter();
  let crew: Crew | undefined;
  const workers = (): string[] => crew?.members().map(({ id, at = "waits" }) => `${id}: ${at}`) ?? [];
  const progress = createProgress(io, {
    title: `iapo ${job.kind} ${job.name} in ${job.directory}, on ${device.facts.description}`,
    steps: job.steps,
    tokensOf: job.tokensOf,
    memory: () => device.memory(),
    json,
    ...(fleetFlags.fleet !== undefined && { workers }),
  });
  const onWarning = (message: string): void => progress.note(`! ${message}`);
  const logs: Promise<RunLog>[] = [];
  let result: JobResult | undefined;
  try {
    await using fleet =
      fleetFlags.fleet === undefined ? undefined : await openWorkers(fleetFlags, job.name, progress.note);
    result = await runJob(job, {
      device,
      resume,
      fleet: fleet && {
        ...fleet.options,
        onCrew: (opened) => {
          crew = opened;
        },
      },
      signal: io.signal,
      onPhase: progress.phase,
      onBegin(done) {
        progress.begin(done);
        const run = { directory: job.directory, config: job.resolved };
        logs.push(...trackers.map((tracker) => RunLog.open(tracker, run, onWarning)));
      },
      onStep(index, metrics) {
        progress.step(index, metrics);
        for (const log of logs) void log.then((opened) => opened.add(index, metrics));
      },
      onAlarm: progress.alarm,
      onWarning,
    });
  } catch (error) {
    if (!isInterrupt(error, io.signal)) throw error;
  } finally {
    for (const log of logs) await (await log).close(result?.done ?? false);
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

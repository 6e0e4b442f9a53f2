// What `train` and `sft` have in common: the run's directory, the device, progress, interrupts, and the result.
import { type DirectoryLock, findRunRecord } from "@iapo/grpo/run-directory";
import type { Job, LoadedConfig, TrainerConfig } from "@iapo/jobs";
import { executeJob, holdsRun, type JobResult, type RunOptions, runDirectory } from "@iapo/jobs";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import { openDevice } from "@iapo/tensor-core";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress/progress.ts";
import { isInterrupt, workIn } from "./work-in.ts";

export interface RunJobOptions extends RunOptions {
  readonly json?: boolean | undefined;
}

/** Runs a job to its end, or to the interrupt. @throws what its parts throw; what was checkpointed stands */
export async function runJob(
  loaded: LoadedConfig,
  jobOf: (config: TrainerConfig) => Job,
  options: RunJobOptions,
  io: CliIo,
): Promise<number> {
  using device = await openDevice();
  const directory = runDirectory(loaded, options.out);
  const run = async (lock: DirectoryLock): Promise<number> => {
    const resume = await holdsRun(directory, loaded, options.resume ?? false);
    const { job, config } = await pinned(loaded.config, jobOf, directory);
    const progress = createProgress(io, {
      title: `iapo ${job.command} ${loaded.name} in ${directory}, on ${device.facts.description}`,
      steps: job.steps,
      tokensOf: job.tokensOf,
      memory: () => device.memory(),
      json: options.json ?? false,
    });
    let result: JobResult | undefined;
    try {
      result = await executeJob(loaded, job, { directory, lock, config, resume, device, progress, signal: io.signal });
    } catch (error) {
      if (!isInterrupt(error, io.signal)) throw error;
    } finally {
      progress.close();
    }
    return show(directory, job, result, options, io);
  };
  return await workIn(directory, io, run);
}

/** A run that goes on takes of a hub what it took before, also where the branch has moved on. */
async function pinned(
  config: TrainerConfig,
  jobOf: (config: TrainerConfig) => Job,
  directory: string,
): Promise<{ job: Job; config: TrainerConfig }> {
  const { commits = {} } = (await findRunRecord(directory)) ?? {};
  const pin = <T extends ModelSource>(source: T, commit: string | undefined): T =>
    source.hub && commit !== undefined ? { ...source, hub: { ...source.hub, revision: commit } } : source;
  const { model, teacher } = config;
  const fixed = { ...config, model: pin(model, commits.model), teacher: teacher && pin(teacher, commits.teacher) };
  return { job: { ...jobOf(fixed), settings: jobOf(config).settings }, config: fixed };
}

/** The result on standard output, in one line or one object. */
function show(directory: string, job: Job, result: JobResult | undefined, { json }: RunJobOptions, io: CliIo): number {
  const { step = 0, first, last } = result ?? {};
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
  if (!result) io.note("interrupted before it began; the same command begins it again");
  else if (!done) io.note(`interrupted; go on with: iapo ${job.command} --resume ${directory}`);
  return done ? ExitCode.done : ExitCode.interrupted;
}

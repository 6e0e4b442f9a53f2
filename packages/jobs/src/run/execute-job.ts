// A run from its beginning, or its last checkpoint, to its end or an interrupt: its parts are put together, and what it leaves beside its steps is
// written.
import { join } from "node:path";
import { type Alarm, listCheckpoints, type Metrics, train } from "@iapo/grpo";
import { type DirectoryLock, runPaths } from "@iapo/grpo/run-directory";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { EventFile } from "@iapo/run-report";
import { type Device, parityProbe } from "@iapo/tensor-core";
import { openTasks } from "@iapo/vqa-tasks/sources";
import type { LoadedConfig } from "../config/load.ts";
import type { TrainerConfig } from "../config/schema.ts";
import type { Job, JobParts } from "../job/spec.ts";
import { openEnvironment } from "../parts/environment.ts";
import { checkJob, positionsOf } from "./check-job.ts";
import { contentOf } from "./content.ts";
import { keepingImages } from "./keep-images.ts";
import { configText } from "./open-run.ts";
import { withinPromptLimit } from "./prompt-limit.ts";
import { packageVersions, recordStart } from "./provenance.ts";
import { leftOutWarnings, openProcessor, taskCheck } from "./task-check.ts";

/** Who follows a run. */
interface Progress {
  phase(name: string): void;
  begin(done: number): void;
  step(index: number, metrics: Metrics): void;
  alarm(alarm: Alarm): void;
  note(text: string): void;
}

export interface ExecuteOptions {
  readonly directory: string;
  readonly lock: DirectoryLock;
  /** As the run is to be made: what comes from a hub by its commit. */
  readonly config: TrainerConfig;
  /** Whether the directory holds a run already. */
  readonly resume: boolean;
  readonly device: Device;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface JobResult {
  /** Steps that are done. */
  readonly step: number;
  /** Of the first and the last step that were made this time, if any were. */
  readonly first: Metrics | undefined;
  readonly last: Metrics | undefined;
}

export async function executeJob(loaded: LoadedConfig, job: Job, options: ExecuteOptions): Promise<JobResult> {
  const { directory, config, device, progress, resume, signal } = options;
  const onPhase = (phase: string): void => progress.phase(phase);
  const onWarning = (message: string): void => progress.note(`! ${message}`);
  onPhase("probe the adapter");
  const { holds: parity } = await parityProbe(device);
  if (!parity) onWarning("kernels that should agree differ in bits here: rollouts are scored again before updates");
  await using opened = await openEnvironment(config, directory);
  const { environment } = opened;
  onPhase("data");
  const processor = await openProcessor(config.model, { signal });
  const all = await openTasks(config.data, { check: taskCheck(environment, processor), signal });
  const identity = await contentOf(config, all, { signal, onPhase });
  const found = checkJob(job, { tasks: all, environment, positions: await positionsOf(config.model, { signal }) });
  onPhase("load the model");
  const policy = await QwenVLPolicy.load(device, config.model, { seed: job.seed, signal, onPhase });
  try {
    if (job.promptLimit) onPhase("count the tokens of prompts");
    const limit = job.promptLimit && { ...job.promptLimit, environment, policy, signal };
    const { tasks, warnings: long } = await withinPromptLimit(all, limit);
    const warnings = [...leftOutWarnings(all), ...found, ...long];
    for (const warning of warnings) onWarning(warning);
    const parts = { directory, device, policy, tasks, environment, parity, signal, onPhase, onWarning };
    const built = await job.build(parts);
    await using _ = built.recipe;
    if (!resume) await writeFileAtomic(join(directory, "config.yaml"), configText(loaded));
    const start = { command: process.argv.slice(2), config: loaded.resolved, adapter: device.facts, parity };
    await recordStart(directory, start);
    return await trainOn(built, identity, job, { ...options, warnings });
  } finally {
    policy.model.dispose();
  }
}

async function trainOn(
  { recipe, evaluate }: JobParts,
  identity: Awaited<ReturnType<typeof contentOf>>,
  job: Job,
  { directory, lock, progress, signal, resume, warnings }: ExecuteOptions & { readonly warnings: readonly string[] },
): Promise<JobResult> {
  const events = new EventFile(directory);
  let first: Metrics | undefined;
  let last: Metrics | undefined;
  progress.begin((await listCheckpoints(runPaths(directory).checkpoints)).at(-1)?.step ?? 0);
  const { step } = await train(keepingImages(recipe, directory), {
    ...identity,
    directory,
    lock,
    resume,
    steps: job.steps,
    checkpoint: job.checkpoint,
    maxSkippedSteps: job.maxSkippedSteps,
    warnings,
    settings: { command: job.command, ...job.settings },
    code: packageVersions(),
    evaluate,
    signal,
    onPhase: (phase) => progress.phase(phase),
    onAlarm: (alarm) => progress.alarm(alarm),
    onWarning: (message) => progress.note(`! ${message}`),
    onMetrics(index, metrics) {
      first ??= metrics;
      last = metrics;
      progress.step(index, metrics);
      events.add(index, metrics);
    },
  }).catch(async (error: unknown) => {
    if (first) await events.close().catch(() => {}); // the first error is the one to tell
    throw error;
  });
  await events.close();
  return { step, first, last };
}

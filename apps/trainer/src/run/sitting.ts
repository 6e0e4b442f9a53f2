// A run from its begin, or its last checkpoint, to its end or an interrupt: its parts are put together, and what it leaves beside its steps is written.
import { join } from "node:path";
import { listCheckpoints, type Metrics, type Recipe, train } from "@iapo/grpo";
import { EventFile } from "@iapo/run-report";
import { type Device, parityProbe } from "@iapo/tensor-core";
import { openTasks } from "@iapo/vqa-tasks/sources";
import { openEnvironment } from "../compose/environment.ts";
import { openPolicy } from "../compose/model.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Progress } from "../progress/progress.ts";
import { checkJob, positionsOf } from "./check-job.ts";
import type { Job } from "./job.ts";
import { keepingImages } from "./keep-images.ts";
import type { OpenRun } from "./open-run.ts";
import { recordStart } from "./provenance.ts";

export interface SittingOptions {
  readonly run: OpenRun;
  readonly device: Device;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly resume: boolean;
}

export interface Sitting {
  /** Steps that are done. */
  readonly step: number;
  /** Of the first and the last step of this sitting, if it made any. */
  readonly first: Metrics | undefined;
  readonly last: Metrics | undefined;
}

export async function sit({ config, resolved }: LoadedConfig, job: Job, options: SittingOptions): Promise<Sitting> {
  const { run, device, progress, signal } = options;
  const { directory } = run;
  const onPhase = (phase: string): void => progress.phase(phase);
  const onWarning = (message: string): void => progress.note(`! ${message}`);
  onPhase("probe the adapter");
  const { holds: parity } = await parityProbe(device);
  if (!parity) onWarning("kernels that should agree differ in bits here: rollouts are scored anew before updates");
  onPhase("data");
  const tasks = await openTasks(config.data);
  await using world = await openEnvironment(config, directory);
  const { environment } = world;
  const warnings = checkJob(job, { tasks, environment, positions: await positionsOf(config.model, { signal }) });
  for (const warning of warnings) onWarning(warning);
  onPhase("load the model");
  const policy = await openPolicy(device, config.model, { seed: job.seed, signal, onPhase });
  try {
    const parts = { directory, device, policy, tasks, environment, parity, signal, onPhase, onWarning };
    const { recipe, evaluate } = await job.build(parts);
    await using _ = recipe;
    const start = { command: process.argv.slice(2), config: resolved, adapter: device.facts, parity };
    await run.begin();
    await recordStart(directory, start);
    return await trainOn(recipe, evaluate, job, { ...options, warnings });
  } finally {
    policy.model.dispose();
  }
}

async function trainOn(
  recipe: Recipe,
  evaluate: Awaited<ReturnType<Job["build"]>>["evaluate"],
  job: Job,
  { run: { directory }, progress, signal, resume, warnings }: SittingOptions & { readonly warnings: readonly string[] },
): Promise<Sitting> {
  const events = new EventFile(directory);
  let first: Metrics | undefined;
  let last: Metrics | undefined;
  progress.begin((await listCheckpoints(join(directory, "checkpoints"))).at(-1)?.step ?? 0);
  const { step } = await train(keepingImages(recipe, directory), {
    directory,
    resume,
    steps: job.steps,
    checkpoint: job.checkpoint,
    maxSkippedSteps: job.maxSkippedSteps,
    warnings,
    settings: { command: job.command, ...job.settings },
    evaluate,
    signal,
    onPhase: (phase) => progress.phase(phase),
    onAlarm: (alarm) => progress.alarm(alarm),
    onMetrics(index, metrics) {
      first ??= metrics;
      last = metrics;
      progress.step(index, metrics);
      events.add(index, metrics);
    },
  }).catch(async (error: unknown) => {
    await events.close().catch(() => {}); // the first error is the one to tell
    throw error;
  });
  await events.close();
  return { step, first, last };
}

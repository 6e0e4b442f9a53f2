// What `train` and `sft` have in common: the device, the run's directory, progress, interrupts, and the loop itself.
import { join } from "node:path";
import { listCheckpoints, type Metrics, type Recipe, type TrainOptions, train } from "@iapo/grpo";
import type { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { type Device, openDevice, parityProbe } from "@iapo/tensor-core";
import type { Environment } from "@iapo/vqa-tasks";
import { openEnvironment } from "../compose/environment.ts";
import { openPolicy } from "../compose/model.ts";
import { type OpenTasks, openTasks } from "../compose/tasks.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { createProgress, type Progress } from "../progress/progress.ts";
import { openRun, type RunOptions } from "./open-run.ts";
import { recordStart } from "./provenance.ts";

/** What a recipe is made of. */
export interface Parts {
  /** Of the run. */
  readonly directory: string;
  readonly device: Device;
  readonly policy: QwenVLPolicy;
  readonly tasks: OpenTasks;
  readonly environment: Environment;
  /** Whether kernels that must agree do so to the bit on this adapter. */
  readonly parity: boolean;
  readonly signal: AbortSignal;
  readonly onPhase: (phase: string) => void;
  readonly onWarning: (message: string) => void;
}

/** A command's own part. */
export interface Job {
  readonly command: "train" | "sft";
  readonly seed: number;
  readonly steps: number;
  readonly checkpoint: TrainOptions["checkpoint"];
  /** What decides the result, for the resume to insist on: plain data. */
  readonly settings: object;
  /** Tokens that a step with these metrics wrote, or learnt from. */
  readonly tokensOf: (metrics: Metrics) => number;
  build(
    parts: Parts,
  ): Promise<{ readonly recipe: Recipe & AsyncDisposable; readonly evaluate?: TrainOptions["evaluate"] }>;
}

/** A recipe that frees itself, and then what it was made of. */
export function closing(recipe: Recipe, also: () => Promise<void> = async () => {}): Recipe & AsyncDisposable {
  return {
    ...recipe,
    async [Symbol.asyncDispose]() {
      recipe.dispose();
      await also();
    },
  };
}

export interface DriveOptions extends RunOptions {
  readonly json?: boolean | undefined;
}

/** Runs a job to its end, or to the interrupt. @throws what its parts throw; what was checkpointed stands */
export async function drive(loaded: LoadedConfig, job: Job, options: DriveOptions, io: CliIo): Promise<number> {
  using device = await openDevice();
  await using run = await openRun(loaded, options);
  const progress = createProgress(io, {
    title: `iapo ${job.command} ${loaded.name} in ${run.directory}, on ${device.facts.description}`,
    steps: job.steps,
    tokensOf: job.tokensOf,
    memory: () => device.memory(),
    json: options.json ?? false,
  });
  try {
    const metrics = await trainIn(run.directory, loaded, job, { ...options, device, progress, signal: io.signal });
    progress.close();
    return report(run.directory, job, metrics, options, io);
  } catch (error) {
    progress.close();
    if (io.signal.aborted && error === io.signal.reason) return report(run.directory, job, undefined, options, io);
    throw error;
  }
}

interface Sitting extends RunOptions {
  readonly device: Device;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

interface Result {
  readonly step: number;
  readonly first: Metrics | undefined;
  readonly last: Metrics | undefined;
}

async function trainIn(directory: string, loaded: LoadedConfig, job: Job, sitting: Sitting): Promise<Result> {
  const { config } = loaded;
  const { device, progress, signal, resume } = sitting;
  const onPhase = (phase: string): void => progress.phase(phase);
  onPhase("probe the adapter");
  const { holds: parity } = await parityProbe(device);
  if (!parity)
    progress.note("kernels that should agree differ in bits here: log-probs of rollouts are computed anew for updates");
  onPhase("data");
  const tasks = await openTasks(config.data);
  await using world = await openEnvironment(config, directory);
  onPhase("load the model");
  const policy = await openPolicy(device, config.model, { seed: job.seed, signal, onPhase });
  try {
    const { environment } = world;
    const onWarning = (message: string): void => progress.note(`! ${message}`);
    const parts = { directory, device, policy, tasks, environment, parity, signal, onPhase, onWarning };
    const { recipe, evaluate } = await job.build(parts);
    await using _ = recipe;
    await recordStart(directory, {
      command: process.argv.slice(2),
      config: loaded.resolved,
      adapter: device.facts,
      parity,
    });
    let first: Metrics | undefined;
    let last: Metrics | undefined;
    const before = (await listCheckpoints(join(directory, "checkpoints"))).at(-1)?.step ?? 0;
    progress.begin(before);
    const { step } = await train(recipe, {
      directory,
      resume,
      steps: job.steps,
      checkpoint: job.checkpoint,
      settings: { command: job.command, ...job.settings },
      evaluate,
      signal,
      onPhase,
      onAlarm: (alarm) => progress.alarm(alarm),
      onMetrics(index, metrics) {
        first ??= metrics;
        last = metrics;
        progress.step(index, metrics);
      },
    });
    return { step, first, last };
  } finally {
    policy.model.dispose();
  }
}

/** The result on standard output, in one line or one object. */
function report(directory: string, job: Job, result: Result | undefined, { json }: DriveOptions, io: CliIo): number {
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
  if (!done) io.note(`interrupted; go on with: iapo ${job.command} --resume ${directory}`);
  return done ? ExitCode.done : ExitCode.interrupted;
}

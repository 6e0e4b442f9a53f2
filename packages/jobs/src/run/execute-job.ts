// A run from its beginning, or its last checkpoint, to its end or an interrupt: its parts are put together, and what it leaves beside its steps is
// written.
import { join } from "node:path";
import { type Alarm, failureOfPart, listCheckpoints, type Metrics, train } from "@iapo/grpo";
import { type DirectoryLock, runPaths } from "@iapo/grpo/run-directory";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { EventFile } from "@iapo/run-report";
import { type Device, parityProbe } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import { type FleetOptions, openFleet } from "../fleet/open-fleet.ts";
import type { BuiltJob, JobSpec } from "../job/spec.ts";
import type { Job } from "../open-job.ts";
import { openEpisodes } from "../parts/environment.ts";
import { contentOf } from "./content.ts";
import { keepingImages } from "./keep-images.ts";
import { configText } from "./open-run.ts";
import { positionsOf, warningsOf } from "./problems.ts";
import { withinPromptLimit } from "./prompt-limit.ts";
import { packageVersions, recordInterrupt, recordStart } from "./provenance.ts";
import { leftOutWarnings, openProcessor, taskCheck } from "./task-check.ts";

/** Callbacks of a run. */
export interface JobEvents {
  /** Such as `load the model`, `rollout`, `update`. */
  readonly onPhase?: ((name: string) => void) | undefined;
  /** The steps begin; so many were done before. */
  readonly onBegin?: ((done: number) => void) | undefined;
  /** The step with this number, from 0, is done. */
  readonly onStep?: ((index: number, metrics: Metrics) => void) | undefined;
  readonly onAlarm?: ((alarm: Alarm) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface ExecuteOptions {
  readonly device: Device;
  readonly lock: DirectoryLock;
  /** As the run is to be made: what comes from a hub by its commit. */
  readonly config: JobConfig;
  readonly spec: JobSpec;
  /** Whether the directory holds a run already. */
  readonly resume: boolean;
  readonly signal: AbortSignal;
  readonly events: JobEvents;
  readonly fleet?: FleetOptions | undefined;
}

export interface JobResult {
  /** Whether all steps are done; else the signal has aborted, and a resume goes on from the checkpoint. */
  readonly done: boolean;
  /** Steps that are done. */
  readonly step: number;
  /** Of the first and the last step that were made this time, if any were. */
  readonly first: Metrics | undefined;
  readonly last: Metrics | undefined;
}

export async function executeJob(job: Job, options: ExecuteOptions): Promise<JobResult> {
  const { config, spec, device, resume, signal, events } = options;
  const { directory } = job;
  const onPhase = (name: string): void => events.onPhase?.(name);
  const onWarning = (message: string): void => events.onWarning?.(message);
  onPhase("probe the adapter");
  const { holds: parity } = await parityProbe(device);
  if (!parity) onWarning("kernels that should agree differ in bits here: rollouts are scored again before updates");
  await using opened = await openEpisodes(config, directory);
  const { environment, judge } = opened;
  onPhase("data");
  const processor = await openProcessor(config.model, { signal });
  const all = await opened.openTasks({ check: taskCheck(environment, processor), signal });
  const identity = await contentOf(config, all, { signal, onPhase });
  const found = warningsOf(spec, { tasks: all, environment, positions: await positionsOf(config.model, { signal }) });
  onPhase("load the model");
  const policy = await QwenVLPolicy.load(device, config.model, { seed: spec.seed, signal, onPhase }).catch((error) => {
    throw failureOfPart("load the model", error);
  });
  try {
    if (spec.promptLimit) onPhase("count the tokens of prompts");
    const limit = spec.promptLimit && { ...spec.promptLimit, environment, policy, signal };
    const { tasks, warnings: long } = await withinPromptLimit(all, limit);
    const warnings = [...leftOutWarnings(all), ...found, ...long];
    for (const warning of warnings) onWarning(warning);
    if (!options.fleet && spec.section === "grpo" && config.grpo.maxLag !== undefined)
      onWarning("grpo.maxLag is of runs with workers: without, each step waits for its own rollouts");
    await using fleet =
      options.fleet && (await openFleet(job, options.fleet, { ...options, policy, environment, judge, identity }));
    const parts = { directory, device, policy, tasks, environment, parity, signal, onPhase, onWarning };
    const alone = await spec.build({ ...parts, workforce: fleet?.workforce });
    const built = fleet ? { ...alone, recipe: fleet.over(alone.recipe) } : alone;
    await using _ = built.recipe;
    if (!resume) await writeFileAtomic(join(directory, "config.yaml"), configText(job));
    const start = { command: process.argv.slice(2), config: job.resolved, adapter: device.facts, parity };
    await recordStart(directory, start);
    return await trainOn(built, identity, directory, { ...options, warnings });
  } finally {
    policy.model.dispose();
  }
}

async function trainOn(
  { recipe, evaluate }: BuiltJob,
  identity: Awaited<ReturnType<typeof contentOf>>,
  directory: string,
  { spec, lock, events, signal, resume, warnings }: ExecuteOptions & { readonly warnings: readonly string[] },
): Promise<JobResult> {
  const tensorBoard = new EventFile(directory);
  let first: Metrics | undefined;
  let last: Metrics | undefined;
  events.onBegin?.((await listCheckpoints(runPaths(directory).checkpoints)).at(-1)?.step ?? 0);
  const { step } = await train(keepingImages(recipe, directory), {
    ...identity,
    directory,
    lock,
    resume,
    steps: spec.steps,
    checkpoint: spec.checkpoint,
    maxSkippedSteps: spec.maxSkippedSteps,
    warnings,
    settings: { command: spec.kind, ...spec.settings },
    code: packageVersions(),
    evaluate,
    signal,
    onPhase: (name) => events.onPhase?.(name),
    onAlarm: (alarm) => events.onAlarm?.(alarm),
    onWarning: (message) => events.onWarning?.(message),
    onMetrics(index, metrics) {
      first ??= metrics;
      last = metrics;
      events.onStep?.(index, metrics);
      tensorBoard.add(index, metrics);
    },
  }).catch(async (error: unknown) => {
    if (first) await tensorBoard.close().catch(() => {}); // the first error is thrown
    throw error;
  });
  await tensorBoard.close();
  const done = step >= spec.steps;
  if (!done) await recordInterrupt(directory, step);
  return { done, step, first, last };
}

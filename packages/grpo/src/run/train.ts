// The loop of a run: step, watch, evaluate, write, checkpoint. Stopped at any moment and resumed, it gives the same bits.

import type { Trace } from "@iapo/rollout-trace";
import { openStep, publishStep, recoverSteps } from "@iapo/rollout-trace/files";
import { listCheckpoints, pruneCheckpoints, readCheckpoint, writeCheckpoint } from "../checkpoint/checkpoints.ts";
import { type Alarm, configurationAlarms, noAlarms, watch } from "../metrics/alarms.ts";
import type { Metrics } from "../metrics/rollout-metrics.ts";
import { appendTimings, openRunDirectory, type RunPaths } from "./directory.ts";
import { MOST_SKIPPED_STEPS, stopIfOnlySkipping, stopUnlessFinite } from "./divergence.ts";
import { type Recipe, type RecipeStep, Stopwatch } from "./recipe.ts";
import { checkpointTensors, type RunState, restoreLearner, runStateSchema } from "./state.ts";

export interface TrainOptions {
  readonly directory: string;
  /** Go on with the run in the directory, if there is one; else such a run is an error. */
  readonly resume?: boolean | undefined;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Checkpoint after every so many steps, and keep the last so many. The last step and the best one have one too. */
  readonly checkpoint: { readonly every: number; readonly keep: number };
  /** Plain data that decides what the run computes, but for `steps`: a resume insists on it. */
  readonly settings: object;
  /** After every so many steps: metrics of `val/...`, and the score that decides which step is the best. */
  readonly evaluate?: { readonly every: number; run(): Promise<{ metrics: Metrics; score: number }> } | undefined;
  /** Optimizer steps in a row that may be skipped because their numbers are not finite; default 3. */
  readonly maxSkippedSteps?: number | undefined;
  /** What was said of the configuration; the run's first step has the alarm `configuration` then. */
  readonly warnings?: readonly string[] | undefined;
  readonly onMetrics?: ((step: number, metrics: Metrics) => void) | undefined;
  readonly onAlarm?: ((alarm: Alarm) => void) | undefined;
  /** Hears what the run is at: rollout, update, evaluate, checkpoint and the like. */
  readonly onPhase?: ((phase: string) => void) | undefined;
  /** Stops the run after the step at work, or within its rollouts; a checkpoint is written. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a recipe to its last step. @throws GrpoError `diverged` where its numbers are not finite any more; `checkpoint`, TraceError `write_failed`: what was checkpointed stands, and the run can be
 * resumed.
 */
export async function train(recipe: Recipe, options: TrainOptions): Promise<RunState> {
  const { directory, steps, checkpoint, signal, onPhase } = options;
  const { device } = recipe.learner.policy;
  const paths = await openRunDirectory(directory, device, options.settings, options.resume ?? false);
  let state = await restore(recipe, paths);
  let saved = state.step;
  while (state.step < steps && !signal?.aborted) {
    const clock = new Stopwatch(onPhase);
    const made = await stepOrAbort(recipe, state, options);
    if (!made) break;
    const done = await finishStep(recipe, state, made, options, paths, clock);
    state = done.state;
    stopIfOnlySkipping(recipe.learner, options.maxSkippedSteps ?? MOST_SKIPPED_STEPS, state.step, saved);
    if (state.step % checkpoint.every === 0 || state.step === steps || done.isBest) {
      await clock.time("checkpoint", () => save(recipe, paths, state, saved, checkpoint.keep));
      saved = state.step;
    }
    await appendTimings(paths.timings, state.step - 1, { ...made.timings, ...clock.timings });
  }
  if (saved < state.step) await save(recipe, paths, state, saved, checkpoint.keep);
  return state;
}

/** Where the run stands: its last checkpoint, or its beginning. */
async function restore({ learner }: Recipe, paths: RunPaths): Promise<RunState> {
  const last = (await listCheckpoints(paths.checkpoints)).at(-1);
  await recoverSteps(paths.steps, last?.step ?? 0);
  if (!last) {
    return {
      step: 0,
      cursor: 0,
      policyVersion: learner.policy.version,
      optimizerSteps: 0,
      skippedSteps: 0,
      alarms: noAlarms,
      best: null,
    };
  }
  const state = await readCheckpoint(last.path, checkpointTensors(learner), runStateSchema);
  restoreLearner(learner, state);
  return state;
}

/** Undefined where the signal has stopped the step: nothing has changed then. */
async function stepOrAbort(recipe: Recipe, { step, cursor }: RunState, { signal, onPhase }: TrainOptions) {
  try {
    return await recipe.step({ step, cursor, signal, onPhase });
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

/** Metrics, alarms and evaluation of a step, in its file. */
async function finishStep(
  { learner }: Recipe,
  before: RunState,
  made: RecipeStep,
  options: TrainOptions,
  paths: RunPaths,
  clock: Stopwatch,
): Promise<{ state: RunState; isBest: boolean }> {
  const step = before.step + 1;
  const { evaluate } = options;
  const evaluated =
    evaluate && (step % evaluate.every === 0 || step === options.steps)
      ? await clock.time("evaluate", () => evaluate.run())
      : undefined;
  const { state: alarms, raised: found } = watch(before.alarms, before.step, made.metrics);
  const raised = [...configurationAlarms(before.step, options.warnings ?? []), ...found];
  const isBest = evaluated !== undefined && (before.best === null || evaluated.score > before.best.score);
  const flags = raised.map(({ name }) => [`alarm/${name}`, 1] as const);
  const metrics = { ...made.metrics, ...evaluated?.metrics, ...Object.fromEntries(flags) };
  await clock.time("write", () => writeStepFile(paths.steps, before.step, made, metrics));
  options.onMetrics?.(before.step, metrics);
  for (const alarm of raised) options.onAlarm?.(alarm);
  const state: RunState = {
    step,
    cursor: made.cursor,
    policyVersion: learner.policy.version,
    optimizerSteps: learner.steps,
    skippedSteps: learner.skipped,
    alarms,
    best: isBest ? { step, score: evaluated.score } : before.best,
  };
  return { state, isBest };
}

/** Leaves the step's file finished but unpublished: that waits for the checkpoint. */
async function writeStepFile(directory: string, step: number, made: RecipeStep, metrics: Metrics): Promise<void> {
  const writer = await openStep(directory, step);
  try {
    for (const traces of groupsOf(made.traces)) await writer.group(traces);
    const entries = Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : null]);
    await writer.log({ ...made.log, metrics: Object.fromEntries(entries) });
    await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

function groupsOf(traces: readonly Trace[]): Trace[][] {
  return [...Map.groupBy(traces, ({ group }) => group).values()];
}

/** Writes a checkpoint, then publishes the steps that it holds. */
async function save({ learner }: Recipe, paths: RunPaths, state: RunState, saved: number, keep: number): Promise<void> {
  await stopUnlessFinite(learner, state.step, saved);
  await writeCheckpoint(paths.checkpoints, state.step, checkpointTensors(learner), state);
  for (let step = saved; step < state.step; step++) await publishStep(paths.steps, step);
  await pruneCheckpoints(paths.checkpoints, keep, state.best ? [state.best.step] : []);
}

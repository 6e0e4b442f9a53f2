// The loop of a run: step, watch, evaluate, write, checkpoint. Stopped at any moment and resumed, it gives the same bits.
import { publishStep } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import { pruneCheckpoints, writeCheckpoint } from "../checkpoint/checkpoints.ts";
import { type KeptTensors, keptTensors } from "../checkpoint/kept.ts";
import { GrpoError } from "../error.ts";
import { type Alarm, configurationAlarms, watch } from "../metrics/alarms.ts";
import { memoryMetrics } from "../metrics/memory-metrics.ts";
import type { Metrics } from "../metrics/rollout-metrics.ts";
import { type DirectoryLock, lockDirectory } from "../run-directory/lock.ts";
import { type OpenedRun, openRunDirectory } from "../run-directory/open.ts";
import type { RunRecord } from "../run-directory/record.ts";
import { MOST_SKIPPED_STEPS, stopIfOnlySkipping, stopUnlessFinite } from "./divergence.ts";
import { type Recipe, type RecipeStep, Stopwatch } from "./recipe.ts";
import { restore } from "./restore.ts";
import { checkpointTensors, type RunState } from "./state.ts";
import { appendTimings, writeStepFile } from "./step-files.ts";

export interface TrainOptions extends Partial<Pick<RunRecord, "code" | "content" | "commits">> {
  readonly directory: string;
  /** The directory's, where the caller holds it; else it is taken and released here. */
  readonly lock?: DirectoryLock | undefined;
  /** Go on with the run in the directory, if there is one; else such a run is an error. */
  readonly resume?: boolean | undefined;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Checkpoint after every so many steps, and keep the last so many. The last step and the best one have one too. */
  readonly checkpoint: { readonly every: number; readonly keep: number };
  /** Plain data that decides what the run computes, but for `steps`: a resume insists on it, and on `content` and `code`. */
  readonly settings: object;
  /** After every so many steps: metrics of `val/...`, and the score that decides which step is the best. */
  readonly evaluate?: { readonly every: number; run(): Promise<{ metrics: Metrics; score: number }> } | undefined;
  /** Optimizer steps in a row that may be skipped because their numbers are not finite; default 3. */
  readonly maxSkippedSteps?: number | undefined;
  /** What was said of the configuration; the run's first step has the alarm `configuration` then. */
  readonly warnings?: readonly string[] | undefined;
  /** Hears a step's metrics, and `memory/...` of this process, which the step's file does not hold. */
  readonly onMetrics?: ((step: number, metrics: Metrics) => void) | undefined;
  readonly onAlarm?: ((alarm: Alarm) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Hears what the run is at: rollout, update, evaluate, checkpoint and the like. */
  readonly onPhase?: ((phase: string) => void) | undefined;
  /**
   * Stops the run within the step at work, and writes a checkpoint of those before. On a card, where weights have changed within the step, the last
   * one stands; a software adapter, whose step may take minutes, is not waited for.
   */
  readonly signal?: AbortSignal | undefined;
}

/** So many steps in a row with nothing to train on end a run. */
const MOST_EMPTY_STEPS = 3;

/**
 * Runs a recipe to its last step. What was checkpointed stands after an error, and the run can be resumed.
 * @throws GrpoError as `lockDirectory`, `openRunDirectory`, `restore`; `checkpoint`; `rollout` where steps in a row had nothing to train on;
 * `diverged` where its numbers are not finite any more; TraceError `write_failed`
 */
export async function train(recipe: Recipe, options: TrainOptions): Promise<RunState> {
  const { device } = recipe.learner.policy;
  const lock = options.lock ?? (await lockDirectory(options.directory));
  try {
    const run = await openRunDirectory(options.directory, recordOf(device, options), options.resume ?? false);
    const state = await restore(recipe.learner, run, options);
    return await new Training(recipe, options, lock, run, state).run();
  } finally {
    if (!options.lock) await lock.release();
  }
}

function recordOf({ facts }: Device, { settings, code = {}, content = {}, commits = {} }: TrainOptions): RunRecord {
  const plain = settings as RunRecord["settings"]; // what of it is no plain data does not come through JSON
  return { kernelFamily: facts.family, adapter: facts.description, code, content, commits, settings: plain };
}

class Training {
  readonly #recipe: Recipe;
  readonly #options: TrainOptions;
  readonly #lock: DirectoryLock;
  readonly #run: OpenedRun;
  #state: RunState;
  /** Steps that the last checkpoint holds. */
  #saved: number;
  #savedState: RunState;
  /** Of the steps done, where no checkpoint holds them all. */
  #kept: Promise<KeptTensors | undefined> | undefined;
  /** Why the last step had nothing to train on. */
  #empty: string | undefined;
  /** Alarms of the start, for the first step that is made. */
  #pending: readonly Alarm[];
  /** Of the last step. */
  #memory: Metrics = {};

  constructor(recipe: Recipe, options: TrainOptions, lock: DirectoryLock, run: OpenedRun, state: RunState) {
    this.#recipe = recipe;
    this.#options = options;
    this.#lock = lock;
    this.#run = run;
    this.#state = state;
    this.#saved = state.step;
    this.#savedState = state;
    this.#pending = run.otherAdapter === undefined ? [] : [{ name: "other_adapter", step: state.step, numbers: {} }];
  }

  async run(): Promise<RunState> {
    const { steps, checkpoint, maxSkippedSteps = MOST_SKIPPED_STEPS, signal, onPhase, onWarning } = this.#options;
    const { otherAdapter, timings } = this.#run;
    if (otherAdapter !== undefined)
      onWarning?.(`the run was begun on another adapter (${otherAdapter}): from here on it may give other bits`);
    while (this.#state.step < steps && !signal?.aborted) {
      const clock = new Stopwatch(onPhase);
      const made = await this.#stepOrAbort();
      if (!made) break;
      const isBest = await this.#finishStep(made, clock);
      if (isBest === undefined) break;
      const { step, emptySteps } = this.#state;
      stopIfOnlySkipping(this.#recipe.learner, maxSkippedSteps, step, this.#saved);
      const isOver = emptySteps >= MOST_EMPTY_STEPS;
      if (step % checkpoint.every === 0 || step === steps || isBest || isOver)
        await clock.time("checkpoint", () => this.#save());
      else this.#keep();
      await appendTimings(timings, step - 1, { ...made.timings, ...clock.timings }, this.#memory);
      this.#empty = made.empty;
      if (isOver) throw nothingToTrainOn(emptySteps, made.empty);
    }
    if (!(await this.#leave())) return this.#savedState;
    const { step, emptySteps } = this.#state;
    if (step > 0 && emptySteps === step) throw nothingToTrainOn(emptySteps, this.#empty);
    return this.#state;
  }

  /** Undefined where the signal has stopped the step: nothing has changed then, but where a mini-batch of its update was done already. */
  async #stepOrAbort(): Promise<RecipeStep | undefined> {
    const { signal, onPhase } = this.#options;
    const { step, cursor } = this.#state;
    const made = await unlessAborted(this.#recipe.step({ step, cursor, signal, onPhase }), signal);
    return made === "aborted" ? undefined : made;
  }

  /**
   * Metrics, alarms and evaluation of a step, in its file. Whether it is the best so far; undefined where the signal has stopped its evaluation:
   * the weights are those after the step then, so the run goes on from its last checkpoint.
   */
  async #finishStep(made: RecipeStep, clock: Stopwatch): Promise<boolean | undefined> {
    const before = this.#state;
    const step = before.step + 1;
    const { evaluate, steps, warnings = [], signal, onMetrics, onAlarm } = this.#options;
    const evaluated =
      evaluate && (step % evaluate.every === 0 || step === steps)
        ? await clock.time("evaluate", () => unlessAborted(evaluate.run(), signal))
        : undefined;
    if (evaluated === "aborted") return undefined;
    const watched = watch(before.alarms, before.step, made.metrics);
    const raised = [...this.#pending, ...configurationAlarms(before.step, warnings), ...watched.raised];
    const flags = raised.map(({ name }) => [`alarm/${name}`, 1] as const);
    const metrics = { ...made.metrics, ...evaluated?.metrics, ...Object.fromEntries(flags) };
    await clock.time("write", async () => {
      await this.#lock.check();
      await writeStepFile(this.#run.steps, before.step, made, metrics);
    });
    this.#pending = [];
    this.#tellFailures(made);
    this.#memory = memoryMetrics(this.#recipe.learner.policy.device);
    onMetrics?.(before.step, { ...metrics, ...this.#memory });
    for (const alarm of raised) onAlarm?.(alarm);
    const isBest = evaluated !== undefined && (before.best === null || evaluated.score > before.best.score);
    const { learner } = this.#recipe;
    this.#state = {
      step,
      cursor: made.cursor,
      policyVersion: learner.policy.version,
      optimizerSteps: learner.steps,
      skippedSteps: learner.skipped,
      skippedInARow: learner.skippedInARow,
      emptySteps: made.empty === undefined ? 0 : before.emptySteps + 1,
      alarms: watched.state,
      best: isBest ? { step, score: evaluated.score } : before.best,
    };
    return isBest;
  }

  #tellFailures({ log: { failures = [] }, metrics }: RecipeStep): void {
    const [first] = failures;
    if (!first) return;
    const count = metrics["rollout/failed"] ?? failures.length;
    const { onWarning } = this.#options;
    onWarning?.(
      `${count} episodes of step ${this.#state.step + 1} failed; the first, of task ${first.task}: ${first.message}`,
    );
  }

  /** Begins to copy what a checkpoint would hold. */
  #keep(): void {
    const { learner } = this.#recipe;
    this.#kept = this.#options.signal && keptTensors(learner.policy.device, checkpointTensors(learner));
  }

  /** At the end and where the signal has aborted: the steps that are done get a checkpoint. False where they are not there any more. */
  async #leave(): Promise<boolean> {
    const { step, optimizerSteps } = this.#state;
    if (this.#saved === step) return true;
    const kept = await this.#kept;
    if (!kept && this.#recipe.learner.steps !== optimizerSteps) return false;
    await this.#save(kept);
    return true;
  }

  /** Writes a checkpoint, of what is on the device or was kept of it, then publishes the steps that it holds. */
  async #save(kept?: KeptTensors): Promise<void> {
    const { steps, checkpoints } = this.#run;
    const { step, best } = this.#state;
    const { learner } = this.#recipe;
    await stopUnlessFinite(kept ?? learner, step, this.#saved);
    await this.#lock.check();
    await writeCheckpoint(checkpoints, step, kept ?? checkpointTensors(learner), this.#state);
    this.#kept = undefined;
    this.#savedState = this.#state;
    for (; this.#saved < step; this.#saved++) await publishStep(steps, this.#saved);
    await pruneCheckpoints(checkpoints, this.#options.checkpoint.keep, best ? [best.step] : []);
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | "aborted"> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return "aborted";
    throw error;
  }
}

function nothingToTrainOn(steps: number, reason: string | undefined): GrpoError {
  return new GrpoError(
    "rollout",
    `nothing to train on in ${steps} steps in a row: ${reason ?? "the step files name the reasons"}; correct the cause, then resume the run`,
  );
}

// Every step of a run recomputed from its file without a GPU, from rewards to the loss; it stops at the first that differs.
import {
  type ReplayComparison,
  replayStep,
  type Step,
  TraceError,
  type TurnRenderer,
  verifyTrace,
} from "@iapo/rollout-trace";
import { listSteps, readStep, readTraces, type StepFile } from "@iapo/rollout-trace/files";
import { JobsError } from "../error.ts";
import { readRecordedRun } from "../run/recorded-run.ts";
import { functionsOf } from "./functions.ts";
import { rendererOf } from "./renderer.ts";

export interface ReplayOptions {
  /** This one only, from 0; default all. */
  readonly step?: number | undefined;
  /** A directory with a model's configuration, tokenizer and template: every turn is encoded again too. */
  readonly model?: string | undefined;
  /** Absolute below 1, else relative; default 1e-6. */
  readonly tolerance?: number | undefined;
  /** Whether the modules may be loaded that the run names: they run with all rights of this process. */
  readonly trust?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears each number that is compared, logged and computed again. */
  readonly onCompared?: ((comparison: ReplayComparison) => void) | undefined;
  readonly onStep?: ((step: number, found: Omit<ReplayResult, "steps">) => void) | undefined;
}

export interface ReplayResult {
  readonly steps: number;
  readonly samples: number;
  readonly updates: number;
  readonly largestDifference: number;
  /** Traces whose turns were encoded again. */
  readonly verified: number;
}

/**
 * @throws JobsError `differs`, TraceError: the first step, and trace, that is damaged or does not give what was logged; JobsError `missing`,
 * `invalid`, `argument`, `untrusted`; the signal's reason
 */
export async function replayRun(directory: string, options: ReplayOptions = {}): Promise<ReplayResult> {
  const run = await readRecordedRun(directory);
  if (run.kind === "sft")
    throw new JobsError("argument", `${directory} is a supervised run: it has no rewards to be replayed`);
  const { tolerance = 1e-6 } = options;
  const { functions, prepare } = await functionsOf(run, options.trust ?? false);
  const renderer = options.model === undefined ? undefined : await rendererOf(run, options.model);
  const files = await chosenSteps(run.steps, options.step);
  const total = { steps: files.length, samples: 0, updates: 0, largestDifference: 0, verified: 0 };
  for (const file of files) {
    options.signal?.throwIfAborted();
    const step = await readWhole(file);
    const verified = renderer ? await verifyStep(step, renderer, file) : 0;
    await prepare(step);
    const { samples, updates, largestDifference, difference } = await replayStep(
      step,
      functions,
      tolerance,
      options.onCompared,
    );
    if (difference) throw new JobsError("differs", `${file.path}: ${difference.message}`);
    options.onStep?.(file.step, { samples, updates, largestDifference, verified });
    total.samples += samples;
    total.updates += updates;
    total.largestDifference = Math.max(total.largestDifference, largestDifference);
    total.verified += verified;
  }
  return total;
}

async function chosenSteps(directory: string, wanted: number | undefined): Promise<StepFile[]> {
  const all = await listSteps(directory);
  if (all.length === 0) throw new JobsError("missing", `${directory} holds no step that is done`);
  if (wanted === undefined) return all;
  const found = all.filter(({ step }) => step === wanted);
  if (found.length > 0) return found;
  throw new JobsError("missing", `${directory} holds no step ${wanted}, but ${all[0]?.step} to ${all.at(-1)?.step}`);
}

/** A damaged file is named with the trace that is the first to be lost. */
async function readWhole(file: StepFile): Promise<Step> {
  try {
    return await readStep(file.path);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    const last = await lastWholeTrace(file.path);
    throw new TraceError(error.code, `${error.message}\n${last}`, { cause: error });
  }
}

async function lastWholeTrace(path: string): Promise<string> {
  let last = "No trace before the damage is whole.";
  try {
    for await (const { group, sample } of readTraces(path))
      last = `The last whole trace is group ${group}, sample ${sample}; the one behind it is the first that is damaged or lost.`;
  } catch {
    return last;
  }
  return last;
}

async function verifyStep({ traces }: Step, renderer: TurnRenderer, { path }: StepFile): Promise<number> {
  for (const trace of traces) {
    const [difference] = await verifyTrace(trace, renderer);
    if (difference) throw new JobsError("differs", `${path}: ${difference.message}`);
  }
  return traces.length;
}

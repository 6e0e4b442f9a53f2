// iapo replay: every step of a run recomputed from its file without a GPU, from rewards to the loss; it stops at the first that differs.

import { functionsOf, readRecordedRun, rendererOf } from "@iapo/jobs";
import { replayStep, type Step, TraceError, type TurnRenderer, verifyTrace } from "@iapo/rollout-trace";
import { listSteps, readStep, readTraces, type StepFile } from "@iapo/rollout-trace/files";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

export interface ReplayOptions {
  readonly directory: string;
  readonly step?: number | undefined;
  /** Also encode every turn again, with this model's processor. */
  readonly model?: string | undefined;
  readonly tolerance: number;
  readonly trust: boolean;
}

/** @throws TrainerError `differs`, TraceError: the first step, and trace, that is damaged or does not give what was logged */
export async function replay(options: ReplayOptions, { out, note, signal }: CliIo): Promise<number> {
  const run = await readRecordedRun(options.directory);
  if (run.command === "sft")
    throw new TrainerError("argument", `${options.directory} is a supervised run: it has no rewards to be replayed`);
  const functions = await functionsOf(run.config, options.trust);
  const renderer = options.model === undefined ? undefined : await rendererOf(run, options.model);
  const files = await chosenSteps(run.steps, options.step);
  let [samples, updates, largest, verified] = [0, 0, 0, 0];
  for (const file of files) {
    if (signal.aborted) return ExitCode.interrupted;
    const step = await readWhole(file);
    if (renderer) verified += await verifyStep(step, renderer, file);
    const report = await replayStep(step, functions, options.tolerance);
    if (report.difference) throw new TrainerError("differs", `${file.path}: ${report.difference.message}`);
    note(
      `step ${file.step}: ${report.samples} samples, ${report.updates} updates, largest difference ${shown(report.largestDifference)}`,
    );
    samples += report.samples;
    updates += report.updates;
    largest = Math.max(largest, report.largestDifference);
  }
  out(
    `${files.length} steps replay: rewards, penalties, advantages of ${samples} samples, losses of ${updates} updates`,
  );
  out(`largest difference ${shown(largest)}, allowed ${shown(options.tolerance)}`);
  if (renderer) out(`${verified} traces hold what their tasks give: tokens, blocks, images, patches, positions`);
  return ExitCode.done;
}

async function chosenSteps(directory: string, wanted: number | undefined): Promise<StepFile[]> {
  const all = await listSteps(directory);
  if (all.length === 0) throw new TrainerError("missing", `${directory} holds no step that is done`);
  if (wanted === undefined) return all;
  const found = all.filter(({ step }) => step === wanted);
  if (found.length > 0) return found;
  throw new TrainerError("missing", `${directory} holds no step ${wanted}, but ${all[0]?.step} to ${all.at(-1)?.step}`);
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
    if (difference) throw new TrainerError("differs", `${path}: ${difference.message}`);
  }
  return traces.length;
}

function shown(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

// What a run writes beside its checkpoints: a file per step, and what this machine took for it, time and memory.
import type { Trace } from "@iapo/rollout-trace";
import { appendLine, openStep } from "@iapo/rollout-trace/files";
import type { Metrics } from "../metrics/rollout-metrics.ts";
import type { RecipeStep } from "./recipe.ts";

/** Leaves the step's file finished but unpublished: that waits for the checkpoint. */
export async function writeStepFile(
  directory: string,
  step: number,
  made: RecipeStep,
  metrics: Metrics,
): Promise<void> {
  const writer = await openStep(directory, step, true);
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

/** @param timings milliseconds by part @param memory metrics of memory */
export async function appendTimings(
  file: string,
  step: number,
  timings: Readonly<Record<string, number>>,
  memory: Metrics,
): Promise<void> {
  const rounded = Object.entries(timings).map(([part, milliseconds]) => [`timing_s/${part}`, milliseconds / 1000]);
  await appendLine(file, { step, ...Object.fromEntries(rounded), ...memory });
}

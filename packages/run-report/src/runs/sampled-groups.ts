// Groups to look at: the first one of steps that lie evenly over the run, so that nothing is picked for its looks.
import { createReadStream } from "node:fs";
import type { ImageRef, SampleLog, Trace, UpdateSample } from "@iapo/rollout-trace";
import { readEntries, type StepFile } from "@iapo/rollout-trace/files";

export interface SampledGroup {
  readonly step: number;
  /** At least one, of one task. */
  readonly traces: readonly Trace<ImageRef>[];
  /** By number of the sample. */
  readonly logs: ReadonlyMap<number, SampleLog>;
  /** Likewise, the last of each. */
  readonly updates: ReadonlyMap<number, UpdateSample>;
}

/** So many of the items, the first and the last among them. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count === 1) return items.slice(-1);
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as T);
}

/** The first one. Undefined for a step without traces. @throws TraceError as `readEntries` */
export function firstGroup(step: StepFile): Promise<SampledGroup | undefined> {
  return readGroup(step, undefined);
}

/** @param wanted undefined: the first; @throws TraceError as `readEntries` */
export async function readGroup(
  { step, path }: StepFile,
  wanted: number | undefined,
): Promise<SampledGroup | undefined> {
  const traces: Trace<ImageRef>[] = [];
  const logs = new Map<number, SampleLog>();
  const updates = new Map<number, UpdateSample>();
  for await (const entry of readEntries(createReadStream(path), path)) {
    const group = wanted ?? traces[0]?.group;
    if (entry.kind === "trace" && entry.trace.group === (group ?? entry.trace.group)) traces.push(entry.trace);
    if (entry.kind === "shaping") for (const log of entry.samples) if (log.group === group) logs.set(log.sample, log);
    if (entry.kind === "update")
      for (const one of entry.update.samples) if (one.group === group) updates.set(one.sample, one);
  }
  return traces.length > 0 ? { step, traces, logs, updates } : undefined;
}

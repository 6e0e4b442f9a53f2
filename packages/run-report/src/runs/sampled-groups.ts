// Groups to look at: the first one of steps that lie evenly over the run, so that nothing is picked for its looks.
import { createReadStream } from "node:fs";
import type { ImageRef, SampleLog, Trace } from "@iapo/rollout-trace";
import { readEntries, type StepFile } from "@iapo/rollout-trace/files";

export interface SampledGroup {
  readonly step: number;
  /** At least one, of one task. */
  readonly traces: readonly Trace<ImageRef>[];
  /** By number of the sample. */
  readonly logs: ReadonlyMap<number, SampleLog>;
}

/** So many of the items, the first and the last among them. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count === 1) return items.slice(-1);
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as T);
}

/** Undefined for a step without traces. @throws TraceError as `readEntries` */
export async function firstGroup({ step, path }: StepFile): Promise<SampledGroup | undefined> {
  const traces: Trace<ImageRef>[] = [];
  const logs = new Map<number, SampleLog>();
  for await (const entry of readEntries(createReadStream(path), path)) {
    if (entry.kind === "trace" && entry.trace.group === (traces[0]?.group ?? entry.trace.group))
      traces.push(entry.trace);
    if (entry.kind === "shaping")
      for (const log of entry.samples) if (log.group === traces[0]?.group) logs.set(log.sample, log);
  }
  return traces.length > 0 ? { step, traces, logs } : undefined;
}

// Reads step files as a stream: one line and one group's prompt in memory at a time.
import { createReadStream } from "node:fs";
import { z } from "zod";
import { TraceError } from "../error.ts";
import type { ImageRef } from "../image.ts";
import type { FailedEpisode, SampleLog, Step, StepLog, UpdateLog } from "../step.ts";
import type { ToolStatus } from "../tool-outcome.ts";
import { type Trace, traceVersion } from "../trace.ts";
import { openLine, splitLines } from "./lines.ts";
import { unpackSample } from "./pack.ts";
import { listSteps } from "./paths.ts";
import { type StepRecord, type StoredGroup, stepRecordSchema } from "./records.ts";

/** Which traces are wanted; all that is given must hold. */
export interface TraceFilter {
  /** First and last step, both included; for {@link readRun}. */
  readonly steps?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined;
  readonly taskIds?: readonly string[] | undefined;
  /** Status of the first tool program. */
  readonly toolStatus?: ToolStatus | undefined;
  readonly where?: ((trace: Trace<ImageRef>) => boolean) | undefined;
}

export type StepEntry =
  | { readonly kind: "step"; readonly step: number }
  | { readonly kind: "trace"; readonly trace: Trace<ImageRef> }
  | { readonly kind: "failures"; readonly failures: readonly FailedEpisode[] }
  | { readonly kind: "shaping"; readonly samples: readonly SampleLog[] }
  | { readonly kind: "update"; readonly update: UpdateLog }
  | { readonly kind: "metrics"; readonly metrics: StepLog["metrics"] };

/**
 * The entries of a step file of version 1 or 2, in order, as version 2 has them. What comes before damage is handed out; then it throws, naming file and line.
 * @param source the file's bytes
 * @param name the file, for messages
 * @throws TraceError `torn`, `corrupt`, `invalid`, `version`, `too_large`
 */
export async function* readEntries(
  source: AsyncIterable<Uint8Array>,
  name: string,
  filter: TraceFilter = {},
): AsyncGenerator<StepEntry> {
  let checksum = 0;
  const reader = new StepReader(filter);
  try {
    for await (const line of splitLines(source)) {
      const opened = openLine(line, checksum);
      checksum = opened.checksum;
      const entry = reader.take(opened.record);
      if (entry !== undefined) yield entry;
    }
    reader.finish();
  } catch (error) {
    if (!(error instanceof TraceError) || error.code === "read_failed") throw error;
    throw new TraceError(error.code, `${name}, line ${reader.lines + 1}: ${error.message}; ${advice(error.code)}`, {
      cause: error,
    });
  }
}

function advice(code: TraceError["code"]): string {
  return code === "version"
    ? "read it with the version that wrote it"
    : "restore a copy of the file, or delete it and go back to a checkpoint before this step: the run then makes it again";
}

/** The grammar of a step file. */
class StepReader {
  /** Lines taken so far; what goes wrong does so at the next one. */
  lines = 0;
  readonly #filter: TraceFilter;
  #version: number = traceVersion;
  #step = -1;
  #group: StoredGroup | undefined;
  #lastGroup = -1;
  #lastSample = -1;
  #stage: "traces" | "failures" | "shaping" | "update" | "metrics" | "end" = "traces";

  constructor(filter: TraceFilter) {
    this.#filter = filter;
  }

  take(value: unknown): StepEntry | undefined {
    if (this.#stage === "end") throw new TraceError("corrupt", "something follows the end of the file");
    this.#checkStart(value);
    const entry = this.#entry(parse(this.#version === 1 ? fromVersion1(value) : value));
    this.lines++;
    return entry;
  }

  finish(): void {
    if (this.#stage !== "end") throw new TraceError("torn", "the file stops before its end");
  }

  #checkStart(value: unknown): void {
    const { kind, version } = (value ?? {}) as { kind?: unknown; version?: unknown };
    if ((kind === "step") !== (this.lines === 0))
      throw new TraceError("invalid", "a step file has one line of kind step, the first");
    if (kind !== "step") return;
    if (version !== 1 && version !== traceVersion) {
      throw new TraceError(
        "version",
        `the file has format version ${String(version)}, this reader knows 1 to ${traceVersion}`,
      );
    }
    this.#version = version;
  }

  #entry(record: StepRecord): StepEntry | undefined {
    switch (record.kind) {
      case "step":
        this.#step = record.step;
        return record;
      case "group":
        this.#advance("traces");
        if (record.group <= this.#lastGroup)
          throw new TraceError("invalid", `group ${record.group} after ${this.#lastGroup}`);
        this.#group = record;
        this.#lastGroup = record.group;
        this.#lastSample = -1;
        return undefined;
      case "sample": {
        this.#advance("traces");
        if (this.#group === undefined) throw new TraceError("invalid", "a sample before any group");
        if (record.sample <= this.#lastSample)
          throw new TraceError("invalid", `sample ${record.sample} after ${this.#lastSample}`);
        this.#lastSample = record.sample;
        const trace = unpackSample(this.#step, this.#group, record);
        return isWanted(trace, this.#filter) ? { kind: "trace", trace } : undefined;
      }
      case "end":
        if (record.lines !== this.lines)
          throw new TraceError("corrupt", `the end counts ${record.lines} lines, ${this.lines} were read`);
        this.#stage = "end";
        return undefined;
      default:
        this.#advance(record.kind);
        return record;
    }
  }

  #advance(stage: "traces" | "failures" | "shaping" | "update" | "metrics"): void {
    const order = ["traces", "failures", "shaping", "update", "metrics"];
    const repeats = stage === "traces" || stage === "update";
    const ahead = order.indexOf(stage) - order.indexOf(this.#stage);
    if (ahead < 0 || (ahead === 0 && !repeats))
      throw new TraceError("invalid", `a line of kind ${stage} after ${this.#stage}`);
    this.#stage = stage;
  }
}

/** In version 1 a task was a picture, and what is its content now stood beside its id. */
function fromVersion1(value: unknown): unknown {
  const { kind, task } = (value ?? {}) as { kind?: unknown; task?: unknown };
  if (kind !== "group" || typeof task !== "object" || task === null) return value;
  const { id, source, split, ...content } = task as Record<string, unknown>;
  return { ...(value as object), task: { id, source, split, content } };
}

function parse(value: unknown): StepRecord {
  const parsed = z.safeDecode(stepRecordSchema, value as z.input<typeof stepRecordSchema>);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new TraceError("invalid", `${issue?.path.join(".") || "record"}: ${issue?.message ?? "no record of a step"}`);
}

function isWanted(trace: Trace<ImageRef>, { taskIds, toolStatus, where }: TraceFilter): boolean {
  return (
    (taskIds?.includes(trace.task.id) ?? true) &&
    (toolStatus === undefined || trace.toolOutcomes[0]?.status === toolStatus) &&
    (where?.(trace) ?? true)
  );
}

/** The traces of a step file that pass the filter, as {@link readEntries} finds them. @throws TraceError also `read_failed` */
export async function* readTraces(path: string, filter: TraceFilter = {}): AsyncGenerator<Trace<ImageRef>> {
  for await (const entry of readEntries(bytesOf(path), path, filter)) if (entry.kind === "trace") yield entry.trace;
}

/** The traces of all steps in a directory, in order of the steps. @throws TraceError as {@link readTraces} */
export async function* readRun(directory: string, filter: TraceFilter = {}): AsyncGenerator<Trace<ImageRef>> {
  const { from = 0, to = Number.POSITIVE_INFINITY } = filter.steps ?? {};
  for (const { step, path } of await listSteps(directory)) {
    if (step >= from && step <= to) yield* readTraces(path, filter);
  }
}

/** A whole step. @throws TraceError as {@link readTraces} */
export async function readStep(path: string): Promise<Step> {
  let step = -1;
  let metrics: StepLog["metrics"] = {};
  const traces: Trace<ImageRef>[] = [];
  const samples: SampleLog[] = [];
  let failures: StepLog["failures"];
  const updates: UpdateLog[] = [];
  for await (const entry of readEntries(bytesOf(path), path)) {
    if (entry.kind === "step") step = entry.step;
    else if (entry.kind === "trace") traces.push(entry.trace);
    else if (entry.kind === "failures") failures = entry.failures;
    else if (entry.kind === "shaping") for (const sample of entry.samples) samples.push(sample);
    else if (entry.kind === "update") updates.push(entry.update);
    else metrics = entry.metrics;
  }
  return { step, traces, log: { samples, updates, ...(failures && { failures }), metrics } };
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Uint8Array;
  } catch (cause) {
    throw new TraceError("read_failed", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

// Writes a step's file beside its final name; it appears there only when it is whole and the run has passed it.
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { TraceError } from "../error.ts";
import type { ImageRef } from "../image.ts";
import type { StepLog } from "../step.ts";
import { type Trace, traceVersion } from "../trace.ts";
import { writeAdvice } from "./advice.ts";
import { makeFolder } from "./directories.ts";
import { sealLine } from "./lines.ts";
import { packGroup } from "./pack.ts";
import { isThere, partialPath, publishStep, stepPath, syncDirectory } from "./paths.ts";
import { type StepRecord, stepRecordSchema } from "./records.ts";

/** Open from {@link openStep} until `finish` or `discard`. Calls may overlap: lines go out in the order of the calls. */
export interface StepWriter {
  readonly step: number;
  /**
   * The traces of one group, groups and samples in ascending order. Pixels stay out: only references are stored.
   * @throws TraceError `inconsistent`; `invalid` for a trace outside of the schema; `write_failed`
   */
  group(traces: readonly Trace<ImageRef>[]): Promise<void>;
  /** Once, after the groups. @throws TraceError as `group` */
  log(log: StepLog): Promise<void>;
  /** Makes the file whole and durable under its partial name; {@link publishStep} renames it once the checkpoint holds the step. */
  finish(): Promise<void>;
  /** Deletes what was written. */
  discard(): Promise<void>;
}

/**
 * Begins the file of a step. A write that fails deletes it: no half-written step is left behind.
 * @param again whether the step may have been published before, as {@link publishStep} will compare
 * @throws TraceError `exists`, `busy`, `write_failed`
 */
export async function openStep(directory: string, step: number, again: boolean = false): Promise<StepWriter> {
  const path = partialPath(directory, step);
  const handle = await create(directory, path);
  const writer = new PartialStep(step, path, handle);
  if (!again && (await isThere(stepPath(directory, step)))) {
    await writer.discard();
    throw new TraceError(
      "exists",
      `${stepPath(directory, step)} is there already; write to another directory, or resume the run`,
    );
  }
  await writer.append({ kind: "step", version: traceVersion, step });
  return writer;
}

/** Writes, finishes and publishes a step in one go. @throws TraceError as {@link openStep} and {@link StepWriter} */
export async function writeStep(
  directory: string,
  step: { step: number; traces: readonly Trace<ImageRef>[]; log: StepLog },
): Promise<string> {
  const writer = await openStep(directory, step.step);
  try {
    for (const traces of Map.groupBy(step.traces, ({ group }) => group).values()) await writer.group(traces);
    await writer.log(step.log);
    await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  }
  return publishStep(directory, step.step);
}

async function create(directory: string, path: string): Promise<FileHandle> {
  await makeFolder(directory);
  try {
    return await open(path, "wx");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") {
      throw new TraceError(
        "busy",
        `${path} is there: another process writes this step, or one was stopped; stop it, or resume the run, which deletes the file`,
        { cause },
      );
    }
    throw new TraceError("write_failed", `${path} cannot be made: ${(cause as Error).message}; ${writeAdvice(cause)}`, {
      cause,
    });
  }
}

class PartialStep implements StepWriter {
  readonly step: number;
  readonly #path: string;
  readonly #handle: FileHandle;
  #checksum = 0;
  #lines = 0;
  #lastGroup = -1;
  #logged = false;
  #queue: Promise<void> = Promise.resolve();
  #open = true;

  constructor(step: number, path: string, handle: FileHandle) {
    this.step = step;
    this.#path = path;
    this.#handle = handle;
  }

  async group(traces: readonly Trace<ImageRef>[]): Promise<void> {
    const [group, ...samples] = packGroup(traces);
    const ascends = samples.every(({ sample }, index) => index === 0 || sample > samples[index - 1]!.sample);
    if (traces[0]!.step !== this.step || group.group <= this.#lastGroup || !ascends || this.#logged) {
      throw new TraceError(
        "inconsistent",
        `step ${traces[0]!.step}, group ${group.group}: does not follow group ${this.#lastGroup} of step ${this.step}; write groups and samples in ascending order, before the log`,
      );
    }
    this.#lastGroup = group.group;
    await this.append(group, ...samples);
  }

  async log({ samples, updates, failures = [], metrics }: StepLog): Promise<void> {
    if (this.#logged) throw new TraceError("inconsistent", `step ${this.step} has its log already`);
    this.#logged = true;
    await this.append(
      ...(failures.length > 0 ? [{ kind: "failures" as const, failures }] : []),
      { kind: "shaping", samples },
      ...updates.map((update): StepRecord => ({ kind: "update", update })),
      { kind: "metrics", metrics },
    );
  }

  async append(...records: StepRecord[]): Promise<void> {
    const lines: Buffer[] = [];
    let checksum = this.#checksum;
    for (const record of records) {
      const sealed = sealLine(encode(record), checksum);
      checksum = sealed.checksum;
      lines.push(sealed.line);
    }
    this.#checksum = checksum;
    this.#lines += lines.length;
    this.#queue = this.#queue.then(() => this.#attempt(() => writeAll(this.#handle, Buffer.concat(lines))));
    await this.#queue;
  }

  async finish(): Promise<void> {
    await this.append({ kind: "end", lines: this.#lines });
    await this.#attempt(async () => {
      await this.#handle.sync();
      await this.#handle.close();
      this.#open = false;
      await syncDirectory(dirname(this.#path));
    });
  }

  async discard(): Promise<void> {
    if (this.#open) await this.#handle.close().catch(() => undefined);
    this.#open = false;
    await rm(this.#path, { force: true });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    if (!this.#open) throw new TraceError("write_failed", `${this.#path} is closed; begin the step again`);
    try {
      await work();
    } catch (cause) {
      await this.discard();
      throw new TraceError(
        "write_failed",
        `${this.#path} cannot be written: ${(cause as Error).message}; what was written is deleted: ${writeAdvice(cause)}, then resume the run, which makes the step again`,
        { cause },
      );
    }
  }
}

/** All of the bytes, also where the system takes them in pieces. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

function encode(record: StepRecord): object {
  const encoded = z.safeEncode(stepRecordSchema, record);
  if (encoded.success) return encoded.data as object;
  const issue = encoded.error.issues[0];
  throw new TraceError(
    "invalid",
    `a record of kind ${record.kind} cannot be stored: ${issue?.path.join(".")}: ${issue?.message}`,
  );
}

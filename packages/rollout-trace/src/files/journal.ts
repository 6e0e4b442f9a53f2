// An append-only file for what no seed governs, such as a judge's verdicts: a record is on the disk before it is used, and read back
// when the run goes on.
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { TraceError } from "../error.ts";
import { writeAdvice } from "./advice.ts";
import { makeDirectory } from "./directories.ts";
import { openLine, sealLine, splitLines } from "./lines.ts";
import { syncDirectory } from "./paths.ts";
import { checkRegularFile } from "./regular-file.ts";
import { writeAll } from "./write.ts";

export interface Journal<T> {
  /** What was in the file when it was opened. */
  readonly records: readonly T[];
  /** Returns once the record is on the disk. Calls may overlap. @throws TraceError `write_failed`, then for every later record too */
  append(record: T): Promise<void>;
  close(): Promise<void>;
}

/**
 * Reads a journal, if there is one; the first record appended makes the file. A last line without its end, as a killed process leaves it, is
 * cut off then: nobody has used it.
 * @throws TraceError `corrupt`, `invalid`, `too_large` with file and line; `read_failed`
 */
export async function openJournal<T extends object>(path: string, schema: z.ZodType<T>): Promise<Journal<T>> {
  return new OpenJournal(path, await readJournal(path, schema));
}

interface Read<T> {
  readonly records: readonly T[];
  /** Of whole lines. */
  readonly bytes: number;
  readonly checksum: number;
}

async function readJournal<T>(path: string, schema: z.ZodType<T>): Promise<Read<T>> {
  const records: T[] = [];
  let [bytes, checksum] = [0, 0];
  try {
    await checkRegularFile(path);
    for await (const line of splitLines(createReadStream(path))) {
      const opened = openLine(line, checksum);
      const parsed = schema.safeParse(opened.record);
      if (!parsed.success) throw new TraceError("invalid", z.prettifyError(parsed.error));
      records.push(parsed.data);
      checksum = opened.checksum;
      bytes += line.length + 1;
    }
  } catch (cause) {
    const known = cause instanceof TraceError ? cause.code : (cause as NodeJS.ErrnoException).code;
    if (known !== "torn" && known !== "ENOENT") {
      const code = cause instanceof TraceError ? cause.code : "read_failed";
      const message = `${path}, line ${records.length + 1}: ${(cause as Error).message}; restore a copy of the file, or delete it: what it held is then asked for again`;
      throw new TraceError(code, message, { cause });
    }
  }
  return { records, bytes, checksum };
}

/** For appending behind so many bytes. */
async function openEnd(path: string, bytes: number): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    await makeDirectory(dirname(path));
    handle = await open(path, "a");
    await handle.truncate(bytes);
    await handle.sync();
    await syncDirectory(dirname(path));
    return handle;
  } catch (cause) {
    await handle?.close();
    throw cause;
  }
}

class OpenJournal<T extends object> implements Journal<T> {
  readonly records: readonly T[];
  readonly #path: string;
  readonly #bytes: number;
  #handle: FileHandle | undefined;
  #checksum: number;
  #waiting: Buffer[] = [];
  #flushed: Promise<void> = Promise.resolve();

  constructor(path: string, { records, bytes, checksum }: Read<T>) {
    this.#path = path;
    this.records = records;
    this.#bytes = bytes;
    this.#checksum = checksum;
  }

  async append(record: T): Promise<void> {
    const { line, checksum } = sealLine(record, this.#checksum);
    this.#checksum = checksum;
    this.#waiting.push(line);
    this.#flushed = this.#flushed.then(() => this.#flush());
    await this.#flushed;
  }

  async close(): Promise<void> {
    await this.#flushed.catch(() => undefined); // whoever appended knows
    await this.#handle?.close();
  }

  /** One write and one sync for all lines that wait. */
  async #flush(): Promise<void> {
    const lines = this.#waiting.splice(0);
    if (lines.length === 0) return;
    try {
      this.#handle ??= await openEnd(this.#path, this.#bytes);
      await writeAll(this.#handle, Buffer.concat(lines));
      await this.#handle.sync();
      if ((await this.#handle.stat()).nlink === 0) throw new Error("it was deleted while it was in use");
    } catch (cause) {
      throw failed(this.#path, cause);
    }
  }
}

function failed(path: string, cause: unknown): TraceError {
  const { message } = cause as Error;
  const advice = `${writeAdvice(cause)}, then resume the run`;
  return new TraceError("write_failed", `${path} cannot be written: ${message}; ${advice}`, { cause });
}

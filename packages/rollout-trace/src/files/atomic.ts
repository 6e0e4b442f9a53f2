// Files, and lines of files, that are there whole or not at all.
import { open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { TraceError } from "../error.ts";
import { writeAdvice } from "./advice.ts";
import { besideOf } from "./beside.ts";
import { syncDirectory } from "./paths.ts";
import { writeAll } from "./write.ts";

/**
 * Writes beside, under a name that no other writer takes, syncs, and renames: whoever reads finds what was there before, or all of the content,
 * also after a power cut.
 * After an error what was there before stands, and nothing lies beside it; what a killed process leaves, `removeAbandoned` finds.
 * @throws TraceError `write_failed`
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const beside = besideOf(path);
  try {
    // Something like /dev/stdout would be gone afterwards.
    const there = await stat(path).catch(() => undefined);
    if (there && !there.isFile() && !there.isDirectory()) throw new Error("what is there is no regular file");
    await writeFile(beside, content, { flag: "wx", flush: true });
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw failed(path, cause);
  }
}

/** Appends a record as a line of JSON, for notes that nothing rests on: they are not synced. After an error the file is as before. @throws TraceError `write_failed` */
export async function appendLine(path: string, record: object): Promise<void> {
  try {
    await using handle = await open(path, "a");
    const { size } = await handle.stat();
    try {
      await writeAll(handle, Buffer.from(`${JSON.stringify(record)}\n`));
    } catch (error) {
      await handle.truncate(size).catch(() => undefined);
      throw error;
    }
  } catch (cause) {
    throw failed(path, cause);
  }
}

function failed(path: string, cause: unknown): TraceError {
  const { message } = cause as Error;
  return new TraceError("write_failed", `${path} cannot be written: ${message}; ${writeAdvice(cause)}`, { cause });
}

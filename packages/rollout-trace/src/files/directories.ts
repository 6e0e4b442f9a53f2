// Directories that are made step by step, so that a place where none can be is an error at once.
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { TraceError } from "../error.ts";
import { writeAdvice } from "./advice.ts";

/**
 * Makes a directory, and those above it. Node's own recursive `mkdir` never ends below `/proc`, and blames the wrong thing on a read-only disk.
 * @returns the directories that were made, from the outermost in; none where it was there
 * @throws TraceError `write_failed`
 */
export async function makeDirectory(path: string): Promise<string[]> {
  return make(resolve(path), false);
}

/** Makes a directory in one that is there: one that was deleted or moved while a process works in it is not made again. @throws TraceError `write_failed` */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    if (await isDirectory(path)) return;
    const { message } = cause as Error;
    throw new TraceError("write_failed", `${path} cannot be made: ${message}; ${writeAdvice(cause)}`, { cause });
  }
}

async function make(full: string, again: boolean): Promise<string[]> {
  try {
    await mkdir(full);
    return [full];
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const above = dirname(full);
    if (await isDirectory(full)) return [];
    if (code !== "ENOENT" || again) throw failed(full, cause);
    // Another process may have made the one above since: then this one can be made now, or never.
    const made = (await isDirectory(above)) ? [] : await make(above, false);
    return [...made, ...(await make(full, true))];
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function failed(path: string, cause: unknown): TraceError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const advice = code === "ENOENT" ? "nothing can be made there: choose another place" : writeAdvice(cause);
  return new TraceError("write_failed", `${path} cannot be made: ${message}; ${advice}`, { cause });
}

// Names of step files and of images, and putting a step in place.
import { createReadStream, type Dirent } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { TraceError } from "../error.ts";
import { writeAdvice } from "./advice.ts";

const pattern = /^step-(\d{6,})\.jsonl(\.partial)?$/;

export type StepFile = { readonly step: number; readonly path: string };

/** `step-000012.jsonl` */
export function stepPath(directory: string, step: number): string {
  return join(directory, `step-${String(step).padStart(6, "0")}.jsonl`);
}

/** A kept image of a run: `images/<id>.png` in its directory. */
export function imagePath(run: string, id: string): string {
  return join(run, "images", `${id}.png`);
}

/** Where a step lies until {@link publishStep}; who has made it may write the step. */
export function partialPath(directory: string, step: number): string {
  return `${stepPath(directory, step)}.partial`;
}

/** The published steps of a directory, ascending; none where there is no directory. */
export async function listSteps(directory: string): Promise<StepFile[]> {
  const files = await stepFiles(directory);
  return files.filter(({ partial }) => !partial).map(({ step, path }) => ({ step, path }));
}

/**
 * Renames a finished step to its final name, durably. One that was published before, and was made again, must be equal.
 * @throws TraceError `write_failed`; `inconsistent` where it is not
 */
export async function publishStep(directory: string, step: number): Promise<string> {
  const path = stepPath(directory, step);
  const partial = partialPath(directory, step);
  try {
    if (!(await isThere(path))) await rename(partial, path);
    else if (await isSame(partial, path)) await rm(partial);
    else {
      throw new TraceError(
        "inconsistent",
        `${path} was published before, and is not what making the step again has given; keep it elsewhere, then resume the run`,
      );
    }
    await syncDirectory(directory);
    return path;
  } catch (cause) {
    if (cause instanceof TraceError) throw cause;
    const { message } = cause as Error;
    throw new TraceError("write_failed", `${path} cannot be put in place: ${message}; ${writeAdvice(cause)}`, {
      cause,
    });
  }
}

export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [own, there] = await Promise.all([stat(one), stat(other)]);
  if (own.size !== there.size) return false;
  const others = createReadStream(other)[Symbol.asyncIterator]();
  for await (const chunk of createReadStream(one)) {
    const { value } = await others.next();
    if (!Buffer.isBuffer(value) || !value.equals(chunk as Buffer)) return false;
  }
  return true;
}

/** Makes what was made, renamed or deleted in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === "win32") return; // no handle of a directory can be had there
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Finished and partial files, ascending. @throws TraceError `read_failed` */
export async function stepFiles(directory: string): Promise<(StepFile & { readonly partial: boolean })[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new TraceError("read_failed", `${directory} cannot be listed: ${(cause as Error).message}`, { cause });
  }
  return entries
    .flatMap((entry) => {
      const [, digits, partial] = pattern.exec(entry.name) ?? [];
      if (digits === undefined) return [];
      const path = join(directory, entry.name);
      if (entry.isFIFO() || entry.isSocket() || entry.isCharacterDevice())
        throw new TraceError("read_failed", `${path} cannot be read: it is not a regular file`);
      return [{ step: Number(digits), path, partial: partial !== undefined }];
    })
    .sort((one, other) => one.step - other.step);
}

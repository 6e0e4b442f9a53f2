/** Names of step files and of images, and putting a step in place. */
import { open, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { TraceError } from "../error.ts";

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

/** Renames a finished step to its final name, durably. @throws TraceError `write_failed` */
export async function publishStep(directory: string, step: number): Promise<string> {
  const path = stepPath(directory, step);
  try {
    await rename(partialPath(directory, step), path);
    await syncDirectory(directory);
    return path;
  } catch (cause) {
    throw new TraceError("write_failed", `${path} cannot be put in place: ${(cause as Error).message}`, { cause });
  }
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
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new TraceError("read_failed", `${directory} cannot be listed: ${(cause as Error).message}`, { cause });
  }
  return names
    .flatMap((name) => {
      const [, digits, partial] = pattern.exec(name) ?? [];
      return digits === undefined
        ? []
        : [{ step: Number(digits), path: join(directory, name), partial: partial !== undefined }];
    })
    .sort((one, other) => one.step - other.step);
}

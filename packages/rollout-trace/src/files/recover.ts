// What a run does with the step files it finds when it goes on.
import { rm } from "node:fs/promises";
import { TraceError } from "../error.ts";
import { checkStep } from "./check.ts";
import { publishStep, stepFiles } from "./paths.ts";

export interface Recovery {
  /** Steps before the cursor that were finished but not yet published; they are now. */
  readonly published: readonly number[];
  /** Unpublished steps from the cursor on; deleted, the run makes them again. */
  readonly deleted: readonly number[];
  /** Published steps from the cursor on. They stay: a step that is made again must be equal to be published. */
  readonly ahead: readonly number[];
  /** Steps before the cursor of which there is no file. */
  readonly missing: readonly number[];
}

/**
 * Brings a directory to where a checkpoint left the run. Call it before a run goes on, with no writer at work. Published steps are never deleted.
 * @param cursor the first step that the checkpoint does not hold
 * @throws TraceError `write_failed`; `torn` and others where a step that the checkpoint holds is damaged
 */
export async function recoverSteps(directory: string, cursor: number): Promise<Recovery> {
  const published: number[] = [];
  const deleted: number[] = [];
  const ahead: number[] = [];
  const present = new Set<number>();
  for (const { step, path, partial } of await stepFiles(directory)) {
    if (step >= cursor && partial) {
      await rm(path, { force: true });
      deleted.push(step);
    } else if (step >= cursor) {
      ahead.push(step);
    } else {
      await checkStep(path, step).catch((error: unknown) => {
        throw error instanceof TraceError ? withAdvice(error) : error;
      });
      present.add(step);
      if (partial) published.push(step);
      if (partial) await publishStep(directory, step);
    }
  }
  const missing = Array.from({ length: cursor }, (_, step) => step).filter((step) => !present.has(step));
  return { published, deleted, ahead, missing };
}

function withAdvice({ code, message, cause }: TraceError): TraceError {
  const advice = "restore a copy of the file, or delete it: the run goes on, without this record of the step";
  return new TraceError(code, `${message}; ${advice}`, { cause });
}

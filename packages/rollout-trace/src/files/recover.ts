/** What a run does with the step files it finds when it goes on. */
import { rm } from "node:fs/promises";
import { publishStep, stepFiles } from "./paths.ts";
import { readStep } from "./read.ts";

export type Recovery = {
  /** Steps before the cursor that were finished but not yet published; they are now. */
  readonly published: readonly number[];
  /** Steps from the cursor on, and unfinished ones; deleted, the run makes them anew. */
  readonly deleted: readonly number[];
};

/**
 * Brings a directory to where a checkpoint left the run. Call it before a run goes on, with no writer at work.
 * @param cursor the first step that the checkpoint does not hold
 * @throws TraceError `write_failed`; `torn` and others where a step that the checkpoint holds is damaged
 */
export async function recoverSteps(directory: string, cursor: number): Promise<Recovery> {
  const published: number[] = [];
  const deleted: number[] = [];
  for (const { step, path, partial } of await stepFiles(directory)) {
    if (step >= cursor) {
      await rm(path, { force: true });
      deleted.push(step);
    } else if (partial) {
      await readStep(path); // names the damage where there is any
      await publishStep(directory, step);
      published.push(step);
    }
  }
  return { published, deleted };
}

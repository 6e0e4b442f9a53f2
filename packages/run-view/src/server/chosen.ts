// What an address names, among what there is.
import type { Context } from "hono";
import type { IndexedStep } from "../index/run-index.ts";
import type { Library, ViewedRun } from "../runs/library.ts";

/** The runs that the address names; all where it names none. */
export function chosenRuns(context: Context, library: Library): readonly ViewedRun[] {
  return runsNamed(context.req.queries("run") ?? [], library);
}

export function runsNamed(given: readonly string[], library: Library): readonly ViewedRun[] {
  const names = given.filter((name) => name !== "");
  return names.length > 0 ? [...new Set(names)].flatMap((name) => library.run(name) ?? []) : library.runs;
}

export function chosenStep(context: Context, library: Library): { run: ViewedRun; step: IndexedStep } | undefined {
  const run = library.run(context.req.query("run") ?? "");
  const step = run?.index.step(wholeNumber(context.req.query("step")) ?? -1);
  return run && step ? { run, step } : undefined;
}

/** Undefined for what is none. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

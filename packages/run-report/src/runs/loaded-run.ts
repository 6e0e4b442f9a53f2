// Runs as reports look at them: what their files say, and a name for each.
import { basename, resolve } from "node:path";
import { type RunRecord, readRunRecord } from "@iapo/grpo/run-directory";
import { readMemory, readMetrics, type StepMetrics, stepsOf } from "./run-files.ts";

export interface NamedRun {
  readonly name: string;
  readonly steps: readonly StepMetrics[];
}

export interface LoadedRun extends NamedRun {
  readonly directory: string;
  readonly file: RunRecord;
}

/** @throws RunReportError `missing`, `invalid`; GrpoError as `readRunRecord`; TraceError where a step is damaged or of another version */
export async function loadRun(directory: string, name: string): Promise<LoadedRun> {
  const file = await readRunRecord(directory);
  const memory = await readMemory(directory);
  const steps: StepMetrics[] = [];
  for (const path of await stepsOf(directory)) {
    const { step, metrics } = await readMetrics(path);
    steps.push({ step, metrics: { ...metrics, ...memory.get(step) } });
  }
  return { directory, name, file, steps };
}

/**
 * Loads runs one after the other, each by a name of its own: the directory's, with as many of those above it as distinguish it.
 * @param onReading hears which directory comes next
 * @throws as {@link loadRun}
 */
export async function loadRuns(
  directories: readonly string[],
  onReading: (directory: string) => void = () => {},
): Promise<LoadedRun[]> {
  const names = runNames(directories);
  const runs: LoadedRun[] = [];
  for (const [i, directory] of directories.entries()) {
    onReading(directory);
    runs.push(await loadRun(directory, names[i] ?? directory));
  }
  return runs;
}

/** A name for each directory: its own, with as many of those above it as distinguish it. */
export function runNames(directories: readonly string[]): string[] {
  const paths = directories.map((directory) => resolve(directory).split(/[\\/]/));
  const longest = Math.max(...paths.map(({ length }) => length));
  for (let length = 1; length < longest; length++) {
    const tails = paths.map((parts) => parts.slice(-length).join("/"));
    if (new Set(tails).size === paths.length) return tails;
  }
  return directories.map((directory, i) => `${basename(directory)} (${i + 1})`); // one directory named twice
}

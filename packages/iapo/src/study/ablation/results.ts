// What a job came to: measured before and after, its held-out values over steps and seconds.
import { join } from "node:path";
import { type Measured, type MetricName, metricNames, readResults } from "@iapo/evaluation";
import { type LoadedRun, loadRun } from "@iapo/run-report";
import {
  type AblationJob,
  type Measuring,
  measureDirectory,
  modelName,
  runDirectoryOf,
  timedName,
  trainingSeconds,
} from "./places.ts";

/** Held-out values inside a run. */
export interface CurvePoint {
  /** Steps that were done. */
  readonly step: number;
  /** Of training until then. */
  readonly seconds: number;
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>;
}

export interface JobResult {
  readonly id: string;
  readonly configuration: string;
  readonly title: string;
  readonly seed: number;
  readonly steps: number;
  /** Of training, for these steps. */
  readonly seconds: number;
  readonly after: Measured;
  /** After the minutes of training that every run was given, where it was. */
  readonly afterTime?: { readonly steps: number; readonly seconds: number; readonly measured: Measured } | undefined;
  readonly curve: readonly CurvePoint[];
}

/** What `iapo eval` has left. Undefined where a model was not measured. @throws EvaluationError `invalid` */
export async function readMeasured(measuring: Measuring, name: string): Promise<Measured | undefined> {
  return (await readResults(join(measureDirectory(measuring, name), "results.json")))?.nano;
}

/** Of a job that was measured. */
export async function readResult(
  job: AblationJob,
  measuring: Measuring,
  minutes: number | undefined,
): Promise<{ readonly result: JobResult; readonly run: LoadedRun } | undefined> {
  const after = await readMeasured(measuring, modelName(job.id, job.steps));
  if (!after) return undefined;
  const path = runDirectoryOf(measuring.directory, job.id);
  const run = await loadRun(path, job.id);
  const perStep = await trainingSeconds(path);
  const until = (steps: number): number => {
    let sum = 0;
    for (let step = 0; step < steps; step++) sum += perStep.get(step) ?? 0;
    return sum;
  };
  const atTime = minutes === undefined ? undefined : await readMeasured(measuring, timedName(job.id, minutes));
  const { recipe, seed, steps } = job;
  const all = run.steps.length;
  return {
    run,
    result: {
      id: job.id,
      ...{ configuration: recipe.name, title: recipe.title, seed, steps, after },
      seconds: until(steps),
      ...(atTime && { afterTime: { steps: all, seconds: until(all), measured: atTime } }),
      curve: curveOf(run, until),
    },
  };
}

function curveOf({ steps }: LoadedRun, until: (steps: number) => number): CurvePoint[] {
  return steps.flatMap(({ step, metrics }) => {
    const found = metricNames.flatMap((name) => {
      const value = metrics[`val/${name}`];
      return value === undefined || value === null ? [] : [[name, value] as const];
    });
    if (found.length === 0) return [];
    return [{ step: step + 1, seconds: until(step + 1), metrics: Object.fromEntries(found) }];
  });
}

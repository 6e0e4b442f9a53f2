// Tables over configurations: mean and spread over seeds, after equal steps and after equal time.

import {
  type Estimate,
  estimateText,
  type Measured,
  type MetricName,
  metricNames,
  metricTitles,
} from "@iapo/evaluation";
import { type Cell, toCsv, toMarkdown } from "@iapo/rollout-trace/text";
import { type Spread, spreadOf } from "@iapo/run-report";
import type { CurvePoint, JobResult } from "./results.ts";

/** A line of the tables: a configuration with what its seeds came to, or why they did not. */
export interface ConfigurationResult {
  readonly name: string;
  readonly title: string;
  readonly results: readonly JobResult[];
  /** Such as `2 failed` or `unavailable: ...`; empty where all seeds are there. */
  readonly missing: string;
}

export interface MeasuredModel {
  readonly name: string;
  readonly measured: Measured;
}

const columns = ["configuration", "seeds", "steps", ...metricNames.map((name) => metricTitles[name]), "s/step", "min"];

/** Measured after the same number of steps; the models that runs begin with or look up to come first. */
export function stepsTable(models: readonly MeasuredModel[], all: readonly ConfigurationResult[]): string {
  const ofModels = models.map(({ name, measured }): Cell[] => [
    ...[name, "", ""],
    ...metricNames.map((metric) => cellOf(measured.metrics[metric])),
    ...["", ""],
  ]);
  return toMarkdown(columns, [
    ...ofModels,
    ...all.map((one) =>
      row(one, (result) => ({
        ...{ steps: result.steps, seconds: result.seconds },
        values: valuesOf(result.after),
      })),
    ),
  ]);
}

/** Measured after the same minutes of training. Undefined where no run was given them. */
export function minutesTable(all: readonly ConfigurationResult[]): string | undefined {
  if (all.every(({ results }) => results.every(({ afterTime }) => !afterTime))) return undefined;
  return toMarkdown(
    columns,
    all.map((one) => row(one, ({ afterTime }) => afterTime && { ...afterTime, values: valuesOf(afterTime.measured) })),
  );
}

/** The time that every run has had. */
export function commonSeconds(all: readonly ConfigurationResult[]): number | undefined {
  const ends = all.flatMap(({ results }) => results.flatMap(({ curve }) => curve.at(-1)?.seconds ?? []));
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** From the runs' own evaluations: the last one that was made by then. */
export function sameTimeTable(all: readonly ConfigurationResult[], seconds: number): string {
  return toMarkdown(
    columns,
    all.map((one) =>
      row(one, ({ curve }) => {
        const point = lastBy(curve, seconds);
        return point && { steps: point.step, seconds: point.seconds, values: point.metrics };
      }),
    ),
  );
}

export function lastBy(curve: readonly CurvePoint[], seconds: number): CurvePoint | undefined {
  return curve.findLast((point) => point.seconds <= seconds);
}

interface Reading {
  readonly steps: number;
  readonly seconds: number;
  readonly values: Readonly<Partial<Record<MetricName, number>>>;
}

function row(
  { title, results, missing }: ConfigurationResult,
  read: (result: JobResult) => Reading | undefined,
): Cell[] {
  const readings = results.flatMap((result) => read(result) ?? []);
  const over = (of: (reading: Reading) => number | undefined): Spread | undefined =>
    spreadOf(readings.flatMap((reading) => of(reading) ?? []));
  return [
    title,
    [readings.length, ...(missing === "" ? [] : [missing])].join("; "),
    rounded(
      over(({ steps }) => steps),
      0,
    ),
    ...metricNames.map((name) =>
      rounded(
        over(({ values }) => values[name]),
        3,
      ),
    ),
    rounded(
      over(({ steps, seconds }) => seconds / steps),
      2,
    ),
    rounded(
      over(({ seconds }) => seconds / 60),
      1,
    ),
  ];
}

function rounded(spread: Spread | undefined, digits: number): string {
  if (!spread) return "";
  const { mean, deviation } = spread;
  const around =
    deviation === undefined || Number(deviation.toFixed(digits)) === 0 ? "" : ` ± ${deviation.toFixed(digits)}`;
  return `${mean.toFixed(digits)}${around}`;
}

function valuesOf({ metrics }: Measured): Partial<Record<MetricName, number>> {
  return Object.fromEntries(
    metricNames.flatMap((name) => (metrics[name].value === null ? [] : [[name, metrics[name].value]])),
  );
}

function cellOf(estimate: Estimate): string {
  return estimate.value === null ? "" : estimateText(estimate);
}

/** A line for each measurement of each job, with bootstrap intervals. */
export function jobsCsv(models: readonly MeasuredModel[], all: readonly ConfigurationResult[]): string {
  const values = ({ metrics }: Measured): Cell[] =>
    metricNames.flatMap((name) => {
      const { value, interval } = metrics[name];
      return [value ?? undefined, interval?.[0], interval?.[1]];
    });
  const heading = ["configuration", "seed", "moment", "steps", "training_seconds"];
  return toCsv(
    [...heading, ...metricNames.flatMap((name) => [name, `${name}_low`, `${name}_high`])],
    [
      ...models.map(({ name, measured }) => [name, undefined, "as it is", undefined, undefined, ...values(measured)]),
      ...all.flatMap(({ results }) =>
        results.flatMap(({ configuration, seed, steps, seconds, after, afterTime }) => [
          [configuration, seed, "after steps", steps, seconds, ...values(after)],
          ...(afterTime
            ? [
                [
                  configuration,
                  seed,
                  "after minutes",
                  afterTime.steps,
                  afterTime.seconds,
                  ...values(afterTime.measured),
                ],
              ]
            : []),
        ]),
      ),
    ],
  );
}

/** Every evaluation inside a run. */
export function curvesCsv(all: readonly ConfigurationResult[]): string {
  return toCsv(
    ["configuration", "seed", "step", "training_seconds", ...metricNames],
    all.flatMap(({ results }) =>
      results.flatMap(({ configuration, seed, curve }) =>
        curve.map(({ step, seconds, metrics }) => [
          configuration,
          seed,
          step,
          seconds,
          ...metricNames.map((name) => metrics[name]),
        ]),
      ),
    ),
  );
}

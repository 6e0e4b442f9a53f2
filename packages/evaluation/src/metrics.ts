// What an evaluation counts, under the names that a run's own evaluations have, with bootstrap intervals.
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { bootstrap, type Interval, resample } from "./statistics.ts";

/** In the order of the tables. Shares of all responses, but the success rate, which is one of calls. In a run they stand behind `val/`. */
export const metricNames = [
  "reward/outcome",
  "tool_call_ratio",
  "tool_call_success_rate",
  "reward/tool_misuse",
  "reward/tool_names",
  "reward/tool_changed",
] as const;
export type MetricName = (typeof metricNames)[number];

export const metricTitles: Readonly<Record<MetricName, string>> = {
  "reward/outcome": "accuracy",
  tool_call_ratio: "tool-call ratio",
  tool_call_success_rate: "call success",
  "reward/tool_misuse": "misuse",
  "reward/tool_names": "right names",
  "reward/tool_changed": "image changed",
};

export interface Estimate {
  /** In 0..1; null where nothing was counted. */
  readonly value: number | null;
  /** Bootstrap percentile interval of 95 %. Tasks are drawn, not responses: those of a task depend on each other. */
  readonly interval: Interval | null;
}

/** A task that has no answer, and why: it counts neither as right nor as wrong. */
export interface FailedTask {
  readonly task: string;
  readonly reason: string;
}

export interface Measured {
  /** That have answers. */
  readonly tasks: number;
  readonly responses: number;
  readonly failed: readonly FailedTask[];
  readonly metrics: Readonly<Record<MetricName, Estimate>>;
}

const RESAMPLES = 2000;

/** [sum, count] of one task. */
type Counted = readonly [number, number];

/** @param groups traces by task */
export function measure(
  groups: readonly (readonly Trace<ImageRef>[])[],
  seed: number,
  failed: readonly FailedTask[] = [],
): Measured {
  const metrics = metricNames.map((name) => [name, estimate(groups.map(counters[name]), seed, name)] as const);
  return {
    tasks: groups.length,
    responses: groups.reduce((sum, group) => sum + group.length, 0),
    failed,
    metrics: Object.fromEntries(metrics) as Record<MetricName, Estimate>,
  };
}

type Counter = (group: readonly Trace<ImageRef>[]) => Counted;

const counters: Readonly<Record<MetricName, Counter>> = {
  "reward/outcome": part("outcome"),
  tool_call_ratio: part("tool_call"),
  tool_call_success_rate: (group) => part("tool_success")(group.filter(({ rewards }) => rewards.tool_call === 1)),
  "reward/tool_misuse": part("tool_misuse"),
  "reward/tool_names": part("tool_names"),
  "reward/tool_changed": part("tool_changed"),
};

function part(name: string): Counter {
  return (group) => [group.reduce((sum, { rewards }) => sum + (rewards[name] ?? 0), 0), group.length];
}

/** Sum over count of all tasks, and its interval; the same for the same seed. */
export function estimate(tasks: readonly Counted[], seed: number, name: string): Estimate {
  const value = ratio(tasks);
  if (value === null) return { value, interval: null };
  const resamples = resample(tasks.length, RESAMPLES, seed, "bootstrap", name);
  return { value, interval: bootstrap(resamples, (times) => ratio(tasks, times)) };
}

function ratio(tasks: readonly Counted[], times?: Uint16Array): number | null {
  let [sum, count] = [0, 0];
  for (const [i, [one, of]] of tasks.entries()) {
    const weight = times?.[i] ?? 1;
    sum += weight * one;
    count += weight * of;
  }
  return count === 0 ? null : sum / count;
}

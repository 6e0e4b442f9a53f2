// What an evaluation counts, with bootstrap intervals. Tasks are drawn anew, not responses: those of a task depend on each other.
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { deriveSeed, randomWords, uniformOf } from "@iapo/tensor-core";

/** In the order of the tables. Shares of all responses, but `success`, which is one of calls. */
export const metricNames = ["accuracy", "calls", "success", "misuse", "names", "changed"] as const;
export type MetricName = (typeof metricNames)[number];

export const metricTitles: Readonly<Record<MetricName, string>> = {
  accuracy: "accuracy",
  calls: "tool-call ratio",
  success: "call success",
  misuse: "misuse",
  names: "right names",
  changed: "image changed",
};

export interface Estimate {
  /** In 0..1; null where nothing was counted. */
  readonly value: number | null;
  /** Bootstrap percentile interval of 95 %. */
  readonly interval: readonly [low: number, high: number] | null;
}

export interface Measured {
  readonly tasks: number;
  readonly responses: number;
  readonly metrics: Readonly<Record<MetricName, Estimate>>;
}

const RESAMPLES = 2000;

/** [sum, count] of one task. */
type Counted = readonly [number, number];

/** @param groups traces by task */
export function measure(groups: readonly (readonly Trace<ImageRef>[])[], seed: number): Measured {
  const metrics = metricNames.map((name) => [name, estimate(groups.map(counters[name]), seed, name)] as const);
  return {
    tasks: groups.length,
    responses: groups.reduce((sum, group) => sum + group.length, 0),
    metrics: Object.fromEntries(metrics) as Record<MetricName, Estimate>,
  };
}

type Counter = (group: readonly Trace<ImageRef>[]) => Counted;

const counters: Readonly<Record<MetricName, Counter>> = {
  accuracy: part("outcome"),
  calls: part("tool_call"),
  success: (group) => part("tool_success")(group.filter(({ rewards }) => rewards.tool_call === 1)),
  misuse: part("tool_misuse"),
  names: part("tool_names"),
  changed: part("tool_changed"),
};

function part(name: string): Counter {
  return (group) => [group.reduce((sum, { rewards }) => sum + (rewards[name] ?? 0), 0), group.length];
}

/** Sum over count, and its interval by drawing as many tasks with repetition (Efron 1979), the same for the same seed. */
export function estimate(tasks: readonly Counted[], seed: number, name: string): Estimate {
  const value = ratio(tasks);
  if (value === null) return { value, interval: null };
  const drawn = Array.from({ length: RESAMPLES }, (_, resample) => {
    const words = randomWords(tasks.length, deriveSeed(seed, "bootstrap", name, resample));
    return ratio(Array.from(words, (word) => tasks[Math.floor(uniformOf(word) * tasks.length)]!));
  });
  const sorted = Float64Array.from(drawn.filter((one) => one !== null)).sort();
  return { value, interval: [quantile(sorted, 0.025), quantile(sorted, 0.975)] };
}

function ratio(tasks: readonly Counted[]): number | null {
  let [sum, count] = [0, 0];
  for (const [one, of] of tasks) {
    sum += one;
    count += of;
  }
  return count === 0 ? null : sum / count;
}

/** Linear between neighbors. */
function quantile(sorted: Float64Array, at: number): number {
  const place = at * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return low + (high - low) * (place - Math.floor(place));
}

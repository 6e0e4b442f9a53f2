// What a run came to: the metrics that a table of results has.
import type { NamedRun } from "./loaded-run.ts";

export interface FinalMetric {
  readonly metric: string;
  readonly title: string;
}

/** Misuse stands beside right names and accuracy: each of them can be had at the cost of the others. */
const results: readonly FinalMetric[] = [
  { metric: "reward/outcome", title: "outcome reward" },
  { metric: "reward/accuracy", title: "accuracy" },
  { metric: "tool_call_ratio", title: "tool-call ratio" },
  { metric: "tool_call_success_rate", title: "success" },
  { metric: "reward/tool_misuse", title: "misuse" },
  { metric: "reward/tool_names", title: "right names" },
  { metric: "reward/tool_changed", title: "image changed" },
  { metric: "critic/penalty/mean", title: "penalty" },
  { metric: "train/loss", title: "supervised loss" },
];

export const finalMetrics: readonly FinalMetric[] = [
  ...results.map(({ metric, title }) => ({ metric: `val/${metric}`, title: `${title}, held out` })),
  ...results.map(({ metric, title }) => ({ metric, title: `${title}, training` })),
];

/** Steps that a value of training is the mean of: one step has few samples. */
export const finalWindow = 5;

/** The last held-out value, or the mean of the last {@link finalWindow} values of training; undefined where there is none. */
export function finalValue({ steps }: NamedRun, metric: string): number | undefined {
  const values = steps.flatMap(({ metrics }) => (Object.hasOwn(metrics, metric) ? (metrics[metric] ?? []) : []));
  const last = values.slice(metric.startsWith("val/") ? -1 : -finalWindow);
  return last.length > 0 ? last.reduce((sum, value) => sum + value, 0) / last.length : undefined;
}

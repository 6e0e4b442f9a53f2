// What the traces of a step say, under the field's names (docs/method.md C.3).
import type { Trace } from "@iapo/rollout-trace";

export type Metrics = Record<string, number>;

/** Mean, largest and smallest value under `name/...`; nothing for no values. */
export function summary(name: string, values: readonly number[]): Metrics {
  if (values.length === 0) return {};
  const sum = values.reduce((total, value) => total + value, 0);
  const largest = values.reduce((a, b) => Math.max(a, b));
  const smallest = values.reduce((a, b) => Math.min(a, b));
  return { [`${name}/mean`]: sum / values.length, [`${name}/max`]: largest, [`${name}/min`]: smallest };
}

/** Lengths in tokens, turns, tools and reward parts. A trace without rewards counts for lengths and tools only. */
export function rolloutMetrics(traces: readonly Trace[], maxTokens: number): Metrics {
  const written = traces.map(({ turns }) => turns.map(({ logProbs }) => logProbs.length));
  const turns = traces.flatMap((trace) => trace.turns);
  return {
    ...summary(
      "response_length",
      written.map((lengths) => lengths.reduce((sum, length) => sum + length, 0)),
    ),
    "response_length/clip_ratio": share(turns, ({ finish, logProbs }) =>
      finish === undefined ? logProbs.length >= maxTokens : finish === "length",
    ),
    ...summary(
      "prompt_length",
      traces.flatMap(({ turns: [first] }) => (first ? [first.lossMask.indexOf(1)] : [])),
    ),
    ...summary(
      "num_turns",
      traces.map((trace) => trace.turns.length),
    ),
    ...toolMetrics(traces),
    ...rewardMetrics(traces),
  };
}

function toolMetrics(traces: readonly Trace[]): Metrics {
  const outcomes = traces.flatMap(({ toolOutcomes }) => toolOutcomes);
  if (outcomes.length === 0) return {};
  const calls = outcomes.filter(({ status }) => status !== "no_tool");
  const shown = calls.filter(({ status }) => status === "ok");
  const metrics: Metrics = {
    tool_call_ratio: calls.length / outcomes.length,
    tool_call_success_rate: share(calls, ({ status }) => status === "ok"),
    "tool/noop_rate": share(shown, ({ changed }) => !changed),
  };
  for (const failure of ["parse_error", "unsupported", "tool_error"] as const)
    metrics[`tool/${failure}_rate`] = share(calls, ({ status }) => status === failure);
  return metrics;
}

function rewardMetrics(traces: readonly Trace[]): Metrics {
  const values = new Map<string, number[]>();
  for (const { rewards } of traces) {
    for (const [part, value] of Object.entries(rewards)) values.set(part, [...(values.get(part) ?? []), value]);
  }
  const metrics: Metrics = {};
  for (const [part, list] of values)
    metrics[`reward/${part}`] = list.reduce((sum, value) => sum + value, 0) / list.length;
  return metrics;
}

/** 0 for no items. */
function share<T>(items: readonly T[], holds: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(holds).length / items.length;
}

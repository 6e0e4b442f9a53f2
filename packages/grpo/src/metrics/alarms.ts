// Alarms: named signs of a run that goes wrong, raised once when they begin to show, with the numbers that raised them.
import type { Metrics } from "./rollout-metrics.ts";

export type AlarmName =
  | "length_drift"
  | "reward_dominated"
  | "group_collapse"
  | "entropy_collapse"
  | "noop_calls"
  | "names_traded"
  | "kl_blow_up"
  | "non_finite"
  | "truncated"
  | "configuration"
  | "failed_episodes"
  | "other_adapter";

export interface Alarm {
  readonly name: AlarmName;
  readonly step: number;
  /** What was compared: recent means, and those of the run's first steps under `start/...`. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** Plain data, kept in checkpoints, so that a resumed run raises the same alarms. */
export interface AlarmState {
  /** The watched metrics of the first steps. */
  readonly first: readonly Readonly<Record<string, number>>[];
  /** Those of the latest steps. */
  readonly recent: readonly Readonly<Record<string, number>>[];
  /** Alarms that hold. */
  readonly active: readonly string[];
}

/** Raised with the first step of a run whose configuration was warned about. */
export function configurationAlarms(step: number, warnings: readonly string[]): Alarm[] {
  return step === 0 && warnings.length > 0
    ? [{ name: "configuration", step, numbers: { warnings: warnings.length } }]
    : [];
}

export const noAlarms: AlarmState = { first: [], recent: [], active: [] };

/** Steps that a mean is taken over. */
const WINDOW = 5;

/** The means of two windows, by metric. */
interface Windows {
  readonly first: (metric: string) => number;
  readonly now: (metric: string) => number;
}

interface Rule {
  readonly name: AlarmName;
  readonly watches: readonly string[];
  /** Comparisons with NaN, of a metric that is not there, do not hold. */
  readonly holds: (windows: Windows) => boolean;
  /** From the first step on, before a window is full. */
  readonly atOnce?: true;
}

const rules: readonly Rule[] = [
  {
    name: "length_drift",
    watches: ["response_length/mean"],
    holds: ({ first, now }) => {
      const growth = now("response_length/mean") / first("response_length/mean");
      return growth > 2 || growth < 0.5;
    },
  },
  {
    name: "reward_dominated",
    watches: ["critic/penalty_share"],
    holds: ({ now }) => now("critic/penalty_share") > 0.9,
  },
  {
    name: "group_collapse",
    watches: ["homogeneous_group_frac"],
    holds: ({ now }) => now("homogeneous_group_frac") > 0.8,
  },
  {
    name: "entropy_collapse",
    watches: ["actor/entropy"],
    holds: ({ first, now }) => now("actor/entropy") < 0.2 * first("actor/entropy"),
  },
  {
    name: "noop_calls",
    watches: ["tool/noop_rate"],
    holds: ({ first, now }) => now("tool/noop_rate") - first("tool/noop_rate") > 0.2,
  },
  {
    name: "names_traded",
    watches: ["reward/tool_names", "reward/tool_misuse"],
    holds: ({ first, now }) =>
      first("reward/tool_names") - now("reward/tool_names") > 0.15 &&
      first("reward/tool_misuse") - now("reward/tool_misuse") > 0.05,
  },
  {
    name: "kl_blow_up",
    watches: ["actor/ppo_kl", "actor/kl_loss"],
    holds: ({ now }) => Math.abs(now("actor/ppo_kl")) > 0.5 || now("actor/kl_loss") > 1,
  },
  {
    name: "non_finite",
    watches: ["actor/skipped_steps"],
    holds: ({ now }) => now("actor/skipped_steps") > 0,
    atOnce: true,
  },
  {
    name: "truncated",
    watches: ["response_length/clip_ratio"],
    holds: ({ now }) => now("response_length/clip_ratio") > 0.5,
  },
  {
    name: "failed_episodes",
    watches: ["rollout/failed_frac"],
    holds: ({ now }) => now("rollout/failed_frac") > 0.1,
    atOnce: true,
  },
];

const watched = [...new Set(rules.flatMap(({ watches }) => watches))];

/** Takes the metrics of a step; alarms that begin to hold with it. Most need full windows. */
export function watch(state: AlarmState, step: number, metrics: Metrics): { state: AlarmState; raised: Alarm[] } {
  const entries = watched.flatMap((name) => {
    const value = metrics[name];
    return value !== undefined && Number.isFinite(value) ? [[name, value] as const] : [];
  });
  const own = Object.fromEntries(entries);
  const first = state.first.length < WINDOW ? [...state.first, own] : state.first;
  const recent = [...state.recent, own].slice(-WINDOW);
  const mean = (rows: AlarmState["recent"]) => (metric: string) =>
    rows.reduce((sum, row) => sum + (row[metric] ?? Number.NaN), 0) / rows.length;
  const windows = { first: mean(first), now: mean(recent) };
  const isFull = recent.length === WINDOW;
  const holding = rules.filter(({ atOnce, holds }) => (isFull || atOnce) && holds(windows));
  const raised = holding
    .filter(({ name }) => !state.active.includes(name))
    .map(({ name, watches }): Alarm => {
      const numbers = watches.flatMap((metric) => [
        [metric, windows.now(metric)] as const,
        [`start/${metric}`, windows.first(metric)] as const,
      ]);
      return { name, step, numbers: Object.fromEntries(numbers.filter(([, value]) => Number.isFinite(value))) };
    });
  return { state: { first, recent, active: holding.map(({ name }) => name) }, raised };
}

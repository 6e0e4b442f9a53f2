// Alarms that a run has raised, in words.
import type { RunData } from "../page/data.ts";
import type { StepMetrics } from "../runs/run-files.ts";

export const alarmMeanings = {
  length_drift: "Responses are twice as long, or half as long, as at the start.",
  reward_dominated: "Rewards differ by the penalty almost alone: the task's outcome hardly counts.",
  group_collapse: "In most groups all rewards are equal: there is next to nothing to learn from.",
  entropy_collapse: "The policy has become nearly certain of its tokens: it no longer explores.",
  noop_calls: "More calls than at the start change nothing in the image.",
  non_finite: "Numbers were not finite: an optimizer step was skipped. A run of such steps ends.",
  truncated: "Over half of the turns are cut at their most tokens: they end in the middle.",
  configuration: "Settings were warned about when the run began; iapo train --dry-run says which.",
  names_traded: "Misuse falls while right names are lost: the penalty may be satisfied the wrong way.",
  kl_blow_up: "The policy moves far in one step, or far from its reference.",
  failed_episodes: "Many episodes fail and are left out: the step's file holds the reasons.",
  other_adapter: "The run went on with another adapter than it was begun on: from here on bits may differ.",
} as const;

export function raisedAlarms(steps: readonly StepMetrics[]): RunData["alarms"] {
  const known: Readonly<Record<string, string>> = alarmMeanings;
  return steps.flatMap(({ step, metrics }) =>
    Object.entries(metrics).flatMap(([metric, value]) => {
      const [, name] = /^alarm\/(.*)$/s.exec(metric) ?? [];
      return name !== undefined && value === 1
        ? [{ step, name, meaning: (Object.hasOwn(known, name) && known[name]) || "" }]
        : [];
    }),
  );
}

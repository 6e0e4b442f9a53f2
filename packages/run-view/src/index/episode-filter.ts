// Which episodes of runs are wanted, and in which order.
import type { ViewedRun } from "../runs/library.ts";
import type { IndexedStep } from "./run-index.ts";
import type { GroupEntry, SampleEntry } from "./step-entry.ts";

export const outcomes = ["right", "wrong", "between", "none"] as const;
export const orders = ["newest", "oldest", "advantage", "penalty", "outcome", "tokens"] as const;

/** All that is given must hold. */
export interface EpisodeFilter {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly task?: string | undefined;
  /** Outcome reward of 1, of 0 or less, in between, or none. */
  readonly outcome?: (typeof outcomes)[number] | undefined;
  /** Of the tool program. */
  readonly status?: string | undefined;
  readonly tool?: string | undefined;
  readonly misuse?: "yes" | "no" | undefined;
  /** Name of an alarm that the step has raised, or `any`. */
  readonly alarm?: string | undefined;
  /** Words that question, turns or the reason of a failure hold, in any order. */
  readonly text?: string | undefined;
  readonly order?: (typeof orders)[number] | undefined;
}

export interface FoundEpisode {
  readonly run: ViewedRun;
  readonly step: IndexedStep;
  readonly group: GroupEntry;
  readonly sample: SampleEntry;
}

export function findEpisodes(runs: readonly ViewedRun[], filter: EpisodeFilter): FoundEpisode[] {
  const found = runs.flatMap((run) => ofRun(run, filter));
  const { order = "newest" } = filter;
  if (order === "oldest") return found;
  if (order === "newest") return newestFirst(found);
  const value = ({ sample }: FoundEpisode): number => sample[order] ?? Number.NEGATIVE_INFINITY;
  return found.sort((a, b) => value(b) - value(a));
}

function ofRun(run: ViewedRun, filter: EpisodeFilter): FoundEpisode[] {
  const { from = 0, to = Number.POSITIVE_INFINITY, task, alarm } = filter;
  const isWanted = sampleTest(filter);
  const words = (filter.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const alarmed = alarm === undefined ? undefined : stepsWithAlarm(run, alarm);
  const found: FoundEpisode[] = [];
  for (const step of run.index.steps) {
    if (step.step < from || step.step > to || (alarmed && !alarmed.has(step.step))) continue;
    for (const group of step.groups) {
      if (task !== undefined && group.task !== task) continue;
      const question = words.length > 0 ? group.question.toLowerCase() : "";
      for (const sample of group.samples)
        if (isWanted(sample) && words.every((word) => sample.text.includes(word) || question.includes(word)))
          found.push({ run, step, group, sample });
    }
  }
  return found;
}

function sampleTest({ outcome, status, tool, misuse }: EpisodeFilter): (sample: SampleEntry) => boolean {
  return (sample) =>
    (outcome === undefined || outcomeOf(sample) === outcome) &&
    (status === undefined || sample.status === status) &&
    (tool === undefined || sample.tools.includes(tool)) &&
    (misuse === undefined || sample.misuse === (misuse === "yes"));
}

export function outcomeOf({ outcome }: SampleEntry): (typeof outcomes)[number] {
  if (outcome === null) return "none";
  return outcome >= 1 ? "right" : outcome <= 0 ? "wrong" : "between";
}

function stepsWithAlarm({ index: { columns } }: ViewedRun, alarm: string): ReadonlySet<number> {
  const names = [...columns.names].filter((name) =>
    alarm === "any" ? name.startsWith("alarm/") : name === `alarm/${alarm}`,
  );
  const steps = columns.steps(names).filter(({ metrics }) => Object.values(metrics).some((value) => value === 1));
  return new Set(steps.map(({ step }) => step));
}

/** Episodes of one step stay in their order. */
function newestFirst(found: readonly FoundEpisode[]): FoundEpisode[] {
  return found.toSorted((a, b) => b.step.step - a.step.step);
}

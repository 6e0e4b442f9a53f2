// Two runs or evaluations on the tasks that both have.
import type { ViewedRun } from "../runs/library.ts";
import type { IndexedStep } from "./run-index.ts";
import type { GroupEntry } from "./step-entry.ts";

/** What became of a task in one run. */
export interface TaskSide {
  readonly step: IndexedStep;
  /** The last group that had the task. */
  readonly group: GroupEntry;
  /** Mean outcome reward of that group's samples. */
  readonly outcome: number;
}

export interface ComparedTask {
  readonly task: string;
  readonly question: string;
  readonly sides: readonly [TaskSide, TaskSide];
}

/** A task is right where more than half of the outcome is earned. */
export function isRight({ outcome }: TaskSide): boolean {
  return outcome > 0.5;
}

/** In the order of the first run's tasks. */
export function compareTasks(one: ViewedRun, other: ViewedRun): ComparedTask[] {
  const [own, others] = [tasksOf(one), tasksOf(other)];
  return [...own].flatMap(([key, side]): ComparedTask[] => {
    const against = others.get(key);
    return against ? [{ task: side.group.task, question: side.group.question, sides: [side, against] }] : [];
  });
}

function tasksOf({ index }: ViewedRun): Map<string, TaskSide> {
  const tasks = new Map<string, TaskSide>();
  for (const step of index.steps)
    for (const group of step.groups) {
      const known = group.samples.flatMap(({ outcome }) => outcome ?? []);
      if (known.length === 0) continue;
      tasks.set(`${group.source} ${group.task}`, {
        step,
        group,
        outcome: known.reduce((sum, value) => sum + value, 0) / known.length,
      });
    }
  return tasks;
}

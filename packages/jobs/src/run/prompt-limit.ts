// The tasks whose prompts are within a job's limit.
import { limitPrompts, longPrompts, type PromptLimit } from "@iapo/grpo";
import type { JobTaskList, JobTasks } from "../parts/own-environment.ts";

export interface Limited {
  readonly tasks: JobTasks;
  readonly warnings: readonly string[];
}

/** Without a limit, all of them. Held-out nano-charts, of which there are any number, are not looked at. @throws GrpoError as `limitPrompts` */
export async function withinPromptLimit(tasks: JobTasks, limit: PromptLimit | undefined): Promise<Limited> {
  if (limit === undefined) return { tasks, warnings: [] };
  const warnings: string[] = [];
  const within = async (list: JobTaskList, name: string): Promise<JobTaskList> => {
    const { tasks: kept, skipped } = await limitPrompts(list, limit);
    if (skipped.length > 0) {
      const found = longPrompts(skipped, list.length, limit.maximum);
      warnings.push(`grpo.rollout.maxPromptTokens: ${found}; they are left out of ${name}`);
    }
    return { ...list, length: kept.length, task: async (index) => kept.task(index) };
  };
  const train = await within(tasks.train, "training");
  const { validation, charts } = tasks;
  return {
    tasks: { ...tasks, train, validation: validation && !charts ? await within(validation, "validation") : validation },
    warnings,
  };
}

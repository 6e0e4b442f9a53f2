// Tasks whose prompts are too long, found before a run: one prompt of a hundred thousand tokens holds up, or ends, a run of days.
import type { Environment, Policy, Task } from "@iapo/rollout-trace";
import { GrpoError } from "../error.ts";
import type { TaskSource } from "./task-source.ts";

export interface PromptLimit {
  readonly environment: Pick<Environment, "prompt">;
  readonly policy: Pick<Policy, "countTokens">;
  /** Tokens of a task's first prompt at most. */
  readonly maximum: number;
  /** What becomes of a task beyond it: the run does not begin, or goes without it. */
  readonly onLongPrompt: "fail" | "skip";
  readonly signal?: AbortSignal | undefined;
}

export interface LongPrompt {
  readonly id: string;
  readonly tokens: number;
}

/** How many tasks a message names. */
const NAMED = 3;

/**
 * The tasks within the limit, in their order, and those beyond it. Every task is made once.
 * @throws GrpoError `data` where one is beyond it and that fails, or all are; `argument` for a policy that does not count tokens; the reason
 * of `signal`
 */
export async function limitPrompts<T extends Task>(
  tasks: TaskSource<T>,
  { environment, policy, maximum, onLongPrompt, signal }: PromptLimit,
): Promise<{ readonly tasks: TaskSource<T>; readonly skipped: readonly LongPrompt[] }> {
  if (!policy.countTokens) {
    throw new GrpoError(
      "argument",
      "the policy does not count tokens, so rollout.maxPromptTokens cannot be kept; leave it out",
    );
  }
  const kept: number[] = [];
  const skipped: LongPrompt[] = [];
  for (let index = 0; index < tasks.length; index++) {
    signal?.throwIfAborted();
    const task = await tasks.task(index);
    const tokens = policy.countTokens({ freshPrompt: true, blocks: environment.prompt(task) });
    if (tokens <= maximum) kept.push(index);
    else skipped.push({ id: task.id, tokens });
  }
  if (skipped.length > 0 && (onLongPrompt === "fail" || kept.length === 0)) {
    const advice = "raise the limit, shorten the prompts, or set rollout.onLongPrompt: skip";
    throw new GrpoError("data", `${longPrompts(skipped, tasks.length, maximum)}; ${advice}`);
  }
  return {
    skipped,
    tasks: {
      length: kept.length,
      task(place) {
        const index = kept[place];
        if (index === undefined) throw new GrpoError("data", `there is no task ${place} among ${kept.length}`);
        return tasks.task(index);
      },
    },
  };
}

/** `2 of 100 tasks have prompts of more than 4096 tokens: a (5000), b (4100)`. */
export function longPrompts(long: readonly LongPrompt[], all: number, maximum: number): string {
  const named = long.slice(0, NAMED).map(({ id, tokens }) => `${id} (${tokens})`);
  const more = long.length > NAMED ? ", ..." : "";
  return `${long.length} of ${all} tasks have prompts of more than ${maximum} tokens: ${named.join(", ")}${more}`;
}

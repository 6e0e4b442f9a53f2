// An environment of the user's own with its tasks: the module that a configuration's `environment.module` names.
import { loadExport, type TaskSource } from "@iapo/grpo";
import type { Environment, Task } from "@iapo/rollout-trace";
import type { OpenTasks, TaskList } from "@iapo/vqa-tasks/sources";
import { z } from "zod";
import { JobsError } from "../error.ts";
import { resolveOwnPackages } from "./user-modules.ts";

/** What an episode is, and what it is about. */
export interface OwnEnvironment<Content = unknown> {
  readonly environment: Environment<Content>;
  /** The same number gives the same task, now and in a resume; ids are unique. */
  readonly tasks: TaskSource<Task<Content>>;
  /** Held-out tasks, for `grpo.evaluate`. */
  readonly validation?: TaskSource<Task<Content>> | undefined;
}

/** What such a module exports. `options`: `environment.options` of the configuration, `{}` without any. */
export type EnvironmentModule<Content = unknown> = (
  options: Readonly<Record<string, unknown>>,
) => OwnEnvironment<Content> | Promise<OwnEnvironment<Content>>;

/** Tasks by their numbers, from 0, with what is known of the rows that they are made of. */
export type JobTaskList = Pick<TaskList, "length" | "content" | "leftOut"> & TaskSource<Task>;

export interface JobTasks extends Pick<OpenTasks, "charts"> {
  readonly train: JobTaskList;
  readonly validation: JobTaskList | undefined;
}

/** @throws GrpoError `module`; JobsError `invalid` where the module gives something else, and so does each of its tasks that is none */
export async function loadEnvironment(
  path: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly environment: Environment; readonly tasks: JobTasks }> {
  resolveOwnPackages();
  const make = await loadExport(path, ".");
  if (typeof make !== "function")
    throw new JobsError("invalid", `${path}: what it exports is no function of options, but ${typeof make}`);
  const made: unknown = await Promise.resolve(options)
    .then((given) => make(given))
    .catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new JobsError("invalid", `${path}: it throws ${reason}`, { cause });
    });
  const parsed = ownSchema.safeParse(made);
  if (!parsed.success)
    throw new JobsError(
      "invalid",
      `${path}: it gives no { environment, tasks, validation? }:\n${z.prettifyError(parsed.error)}`,
    );
  const { environment, tasks, validation } = parsed.data;
  const checked = (source: TaskSource, name: string): JobTaskList => ({
    length: source.length,
    async task(index) {
      const task = taskSchema.safeParse(await source.task(index));
      const problem = task.success
        ? environment.contentSchema.safeParse(task.data.content).error?.message
        : z.prettifyError(task.error);
      if (task.data && problem === undefined) return task.data;
      throw new JobsError("invalid", `${path}: number ${index} of its ${name} is no task of it: ${problem}`);
    },
  });
  return {
    environment,
    tasks: {
      train: checked(tasks, "tasks"),
      validation: validation && checked(validation, "validation"),
      charts: undefined,
    },
  };
}

const isFunction = (value: unknown): boolean => typeof value === "function";
const anObject = <T>(what: string) => z.custom<T>((value) => typeof value === "object" && value !== null, what);
const sourceSchema = anObject<TaskSource>("is no { length, task(number) }")
  .refine(({ length }) => Number.isSafeInteger(length) && length > 0, {
    path: ["length"],
    error: "is no count of tasks",
  })
  .refine(({ task }) => isFunction(task), { path: ["task"], error: "is no function of a number" });
const ownSchema = z.object({
  environment: anObject<Environment>("is no environment")
    .refine(({ prompt }) => isFunction(prompt), { path: ["prompt"], error: "is no function of a task" })
    .refine(({ step }) => isFunction(step), { path: ["step"], error: "is no function of a task and a turn" })
    .refine(({ contentSchema }) => isFunction(contentSchema?.safeParse), {
      path: ["contentSchema"],
      error: "is no schema of zod",
    }),
  tasks: sourceSchema,
  validation: sourceSchema.optional(),
});
const taskSchema = z.strictObject({
  id: z.string().min(1),
  source: z.string(),
  split: z.string(),
  content: z.unknown(),
});

// One set through a policy, batch by batch; each batch is durable when the next begins, and is not made again.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Failure, type RolloutOptions, rollout } from "@iapo/grpo";
import type { Environment, ImageRef, Policy, Task, Trace } from "@iapo/rollout-trace";
import {
  type Journal,
  listSteps,
  makeDirectory,
  openJournal,
  readRun,
  recoverSteps,
  writeStep,
} from "@iapo/rollout-trace/files";
import { deriveSeed } from "@iapo/tensor-core";
import { VqaTasksError } from "@iapo/vqa-tasks";
import { z } from "zod";
import { EvaluationError } from "./error.ts";
import type { FailedTask } from "./metrics.ts";

export interface SetEvaluation {
  readonly policy: Policy;
  /** Each task has a session of its own, so that one whose request is refused costs no other; for policies that gain nothing from a batch. */
  readonly apart?: boolean | undefined;
  readonly environment: Environment;
  readonly tasks: AsyncIterable<Task>;
  /** Where its step files lie: one for each batch of tasks. */
  readonly directory: string;
  readonly name: string;
  readonly seed: number;
  /** Tasks at most. */
  readonly limit: number;
  /** Responses to each task. */
  readonly samples: number;
  readonly temperature: number;
  readonly maxTokens: number;
  /** Tasks that are generated together. */
  readonly batch: number;
  readonly signal: AbortSignal;
  onBatch(tasksDone: number, isNew: boolean): void;
  onFailed?(failed: FailedTask): void;
}

const failureSchema = z.strictObject({ group: z.int().min(0), task: z.string(), reason: z.string() });
type FailureRecord = z.infer<typeof failureSchema>;

/**
 * A request that an endpoint refuses costs its task, which the answers name; where all of a set fail so, the evaluation does.
 * @throws EvaluationError `endpoint`; what the policy and the environment throw; batches that were done stay
 */
export async function evaluateSet(evaluation: SetEvaluation): Promise<Answers> {
  const { directory, limit, batch, signal } = evaluation;
  await makeDirectory(directory);
  const done = (await listSteps(directory)).length;
  await recoverSteps(directory, done);
  const failures = await openFailures(directory);
  let number = 0;
  let together: Task[] = [];
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    const isNew = number >= done;
    if (isNew) await runBatch(evaluation, failures, number, together);
    evaluation.onBatch(number * batch + together.length, isNew);
    number++;
    together = [];
  };
  let taken = 0;
  try {
    for await (const task of evaluation.tasks) {
      if (taken++ >= limit) break;
      together.push(task);
      if (together.length === batch) await flush();
    }
    if (together.length > 0) await flush();
  } finally {
    await failures.close();
  }
  const answers = await answersOf(directory);
  const [first] = answers.failed;
  if (answers.groups.length > 0 || !first) return answers;
  await rm(directory, { recursive: true }); // the same command asks again
  const all = `each of ${answers.failed.length} requests was refused, the first one`;
  throw new EvaluationError("endpoint", `${evaluation.name}: ${all}, for task ${first.task}: ${first.reason}`);
}

async function runBatch(
  evaluation: SetEvaluation,
  failures: Journal<FailureRecord>,
  step: number,
  tasks: readonly Task[],
): Promise<void> {
  const first = step * evaluation.batch;
  const answered = evaluation.apart
    ? await allOrStop(
        tasks.map((task, i) => (signal) => answer(evaluation, [task], step, first + i, signal)),
        evaluation.signal,
      )
    : [await answer(evaluation, tasks, step, first, evaluation.signal)];
  for (const failure of answered.flatMap(({ failed }) => failed)) {
    await failures.append(failure); // before the batch counts as done
    evaluation.onFailed?.(failure);
  }
  const traces = answered.flatMap((part) => part.traces);
  await writeStep(evaluation.directory, { step, traces, log: { samples: [], updates: [], metrics: {} } });
}

interface Answered {
  readonly traces: readonly Trace[];
  readonly failed: readonly FailureRecord[];
}

/** The seed of a turn is that of its task's place in the set: batches of another size give the same responses. */
async function answer(
  { policy, environment, name, seed, samples, temperature, maxTokens }: SetEvaluation,
  tasks: readonly Task[],
  step: number,
  firstGroup: number,
  signal: AbortSignal,
): Promise<Answered> {
  const options: RolloutOptions = { samples, sampling: { temperature }, maxTokens, onFailure: "drop", signal };
  const place = { step, firstGroup, seed: (...at: number[]) => deriveSeed(seed, "eval", name, ...at) };
  try {
    const { groups, failures } = await rollout(policy, environment, tasks, options, place);
    const refused = new Map(failures.map((failure) => [failure.group, refusalOf(failure)]));
    return {
      traces: groups.filter((_, i) => !refused.has(firstGroup + i)).flat(),
      failed: tasks.flatMap(({ id }, i) => {
        const reason = refused.get(firstGroup + i);
        return reason === undefined ? [] : [{ group: firstGroup + i, task: id, reason }];
      }),
    };
  } catch (error) {
    const [only, ...more] = tasks;
    if (!only || more.length > 0 || !isRefusal(error)) throw error;
    return { traces: [], failed: [{ group: firstGroup, task: only.id, reason: error.message }] };
  }
}

/** Why an episode has no reward, where that is the fault of its request alone. @throws EvaluationError `episode` else */
function refusalOf({ group, sample, message, cause }: Failure): string {
  if (isRefusal(cause)) return message;
  throw new EvaluationError("episode", `response ${sample} to task ${group} failed: ${message}`, { cause });
}

function isRefusal(error: unknown): error is Error {
  return (
    (error instanceof VqaTasksError && error.code === "request_refused") ||
    (error instanceof EvaluationError && error.code === "refused")
  );
}

/** All of them, at once; the first error stops the others. */
async function allOrStop<T>(works: readonly ((signal: AbortSignal) => Promise<T>)[], outer: AbortSignal): Promise<T[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  try {
    return await Promise.all(works.map((work) => work(signal)));
  } catch (error) {
    stop.abort();
    throw error;
  }
}

export interface Answers {
  /** Traces by task. */
  readonly groups: readonly (readonly Trace<ImageRef>[])[];
  readonly failed: readonly FailedTask[];
}

/** What an evaluation left in its directory, task by task. @throws TraceError */
export async function answersOf(directory: string): Promise<Answers> {
  const groups = new Map<number, Trace<ImageRef>[]>();
  for await (const trace of readRun(directory)) groups.set(trace.group, [...(groups.get(trace.group) ?? []), trace]);
  const journal = await openFailures(directory);
  await journal.close();
  // A batch that was made twice, as it was not published when the process ended, may have got an answer the second time.
  const failed = new Map(
    journal.records.flatMap((record) => (groups.has(record.group) ? [] : [[record.group, record]])),
  );
  return {
    groups: [...groups.values()],
    failed: [...failed.values()].map(({ task, reason }) => ({ task, reason })),
  };
}

function openFailures(directory: string): Promise<Journal<FailureRecord>> {
  return openJournal(join(directory, "failed.jsonl"), failureSchema);
}

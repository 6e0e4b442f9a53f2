// One set through a policy, batch by batch; each batch is durable when the next begins, and is not made again.
import { rollout } from "@iapo/grpo";
import type { Environment, ImageRef, Policy, Task, Trace } from "@iapo/rollout-trace";
import { listSteps, readRun, recoverSteps, writeStep } from "@iapo/rollout-trace/files";
import { deriveSeed } from "@iapo/tensor-core";

export interface SetEvaluation {
  readonly policy: Policy;
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
}

/** @throws what the policy and the environment throw; batches that were done stay */
export async function evaluateSet(evaluation: SetEvaluation): Promise<void> {
  const { directory, limit, batch, signal } = evaluation;
  const done = (await listSteps(directory)).length;
  await recoverSteps(directory, done);
  let number = 0;
  let together: Task[] = [];
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    const isNew = number >= done;
    if (isNew) await runBatch(evaluation, number, together);
    evaluation.onBatch(number * batch + together.length, isNew);
    number++;
    together = [];
  };
  let taken = 0;
  for await (const task of evaluation.tasks) {
    if (taken++ >= limit) break;
    together.push(task);
    if (together.length === batch) await flush();
  }
  if (together.length > 0) await flush();
}

/** The seed of a turn is that of its task's place in the set: batches of another size give the same responses. */
async function runBatch(evaluation: SetEvaluation, step: number, tasks: readonly Task[]): Promise<void> {
  const { policy, environment, directory, name, seed, samples, temperature, maxTokens, batch, signal } = evaluation;
  const { groups } = await rollout(
    policy,
    environment,
    tasks,
    { samples, sampling: { temperature }, maxTokens, signal },
    { step, firstGroup: step * batch, seed: (...at) => deriveSeed(seed, "eval", name, ...at) },
  );
  await writeStep(directory, { step, traces: groups.flat(), log: { samples: [], updates: [], metrics: {} } });
}

/** The traces that an evaluation left in its directory, task by task. */
export async function groupsOf(directory: string): Promise<Trace<ImageRef>[][]> {
  const groups = new Map<number, Trace<ImageRef>[]>();
  for await (const trace of readRun(directory)) groups.set(trace.group, [...(groups.get(trace.group) ?? []), trace]);
  return [...groups.values()];
}

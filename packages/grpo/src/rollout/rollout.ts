// Groups of responses to tasks: turns are generated together, the environment takes each one as soon as it ends, rewards may come late.
import type { Environment, Policy, Session, Task, Trace, TurnInput } from "@iapo/rollout-trace";
import { GrpoError } from "../error.ts";
import { Episode } from "./episode.ts";
import type { Failure, RolloutOptions, RolloutPlace } from "./options.ts";

export interface Rollout {
  /** By task, `samples` each. A trace without rewards is of an episode that was dropped. */
  readonly groups: readonly (readonly Trace[])[];
  readonly failures: readonly Failure[];
}

/**
 * Rolls every task out `samples` times. A response is a function of its task, its seed and the policy, whatever else runs beside it.
 * @throws GrpoError `rollout` where an episode fails and `onFailure` is `stop`; the reason of `signal` where it aborts; what the policy throws
 */
export async function rollout(
  policy: Policy,
  environment: Environment,
  tasks: readonly Task[],
  options: RolloutOptions,
  place: RolloutPlace,
): Promise<Rollout> {
  const { samples, groupsAtOnce = tasks.length } = options;
  const groups = tasks.map((task, group) =>
    Array.from({ length: samples }, (_, sample) => {
      const at = { step: place.step, group: (place.firstGroup ?? 0) + group, sample, policyVersion: policy.version };
      return new Episode(environment, task, at, options.timeoutMs);
    }),
  );
  for (let start = 0; start < groups.length; start += groupsAtOnce) {
    const together = groups.slice(start, start + groupsAtOnce);
    const prompts = together.map(([first]) => ({ freshPrompt: true, blocks: environment.prompt(first!.task) }));
    await runSession({ policy, options, place }, prompts, together.flat(), samples);
  }
  const finished = groups.map((episodes) => Promise.all(episodes.map((episode) => finish(episode, options))));
  const traces = await unlessAborted(Promise.all(finished), options.signal);
  return { groups: traces, failures: groups.flat().flatMap(({ failure }) => failure ?? []) };
}

interface Run {
  readonly policy: Policy;
  readonly options: RolloutOptions;
  readonly place: RolloutPlace;
}

/** Runs episodes from prompts of `samples` each to their end; those that go on with a prompt of their own get a session of their own. */
async function runSession(
  run: Run,
  prompts: readonly TurnInput[],
  episodes: readonly Episode[],
  samples: number,
): Promise<void> {
  const session = await run.policy.open(prompts);
  try {
    let inputs: TurnInput[] = prompts.flatMap((prompt) => Array.from({ length: samples }, () => prompt));
    let active = episodes;
    while (active.length > 0) {
      const next = await writeTurn(run, session, inputs, active, samples);
      const rebuilt = active.filter((_, i) => next[i]?.freshPrompt);
      if (rebuilt.length > 0)
        await runSession(run, next.filter((input) => input?.freshPrompt) as TurnInput[], rebuilt, 1);
      const appended = next.map((input) => (input?.freshPrompt ? undefined : input));
      active = active.filter((_, i) => appended[i] !== undefined);
      inputs = appended.filter((input) => input !== undefined);
      if (active.length > 0) await session.append(appended);
    }
  } finally {
    session.close();
  }
}

/** One turn of every episode; the environment works on those that have ended while others are still being written. */
async function writeTurn(
  { options, place }: Run,
  session: Session,
  inputs: readonly TurnInput[],
  episodes: readonly Episode[],
  samples: number,
): Promise<(TurnInput | undefined)[]> {
  const steps: Promise<TurnInput | undefined>[] = [];
  await session.generate({
    samples,
    sampling: { ...options.sampling, temperature: temperatureOf(inputs, options) },
    seeds: episodes.map((episode) => place.seed(episode.place.group, episode.place.sample, episode.turns)),
    maxTokens: options.maxTokens,
    signal: options.signal,
    onTurn: (i, turn) => {
      steps[i] = episodes[i]!.take(inputs[i]!, turn, options.maxTurns ?? 2);
    },
  });
  const next = await unlessAborted(Promise.all(steps), options.signal);
  for (const { failure } of episodes) if (failure && (options.onFailure ?? "stop") === "stop") throw stopped(failure);
  return next;
}

function temperatureOf(inputs: readonly TurnInput[], { sampling }: RolloutOptions): number {
  const wanted = new Set(inputs.map(({ temperature }) => temperature ?? sampling.temperature));
  if (wanted.size > 1) {
    throw new GrpoError(
      "argument",
      `turns that are generated together ask for temperatures ${[...wanted].join(" and ")}`,
    );
  }
  return [...wanted][0]!;
}

/** So that a tool or a judge that hangs does not hold up a run that is to stop. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function finish(episode: Episode, { onFailure = "stop", failureReward = 0 }: RolloutOptions): Promise<Trace> {
  const rewards = await episode.rewards();
  if (rewards) return episode.trace(rewards);
  const failure = episode.failure!;
  if (onFailure === "stop") throw stopped(failure);
  return episode.trace(onFailure === "drop" ? {} : { outcome: failureReward });
}

function stopped({ group, sample, message }: Failure): GrpoError {
  return new GrpoError(
    "rollout",
    `the episode of group ${group}, sample ${sample} failed: ${message}; mend its cause, or let failed episodes be dropped or penalized`,
  );
}

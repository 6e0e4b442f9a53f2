// Groups of responses to tasks: turns are generated together, the environment takes each one as soon as it ends, rewards may come late.
import { setImmediate } from "node:timers/promises";
import type { Environment, Image, Policy, Session, Task, Trace, Turn, TurnInput } from "@iapo/rollout-trace";
import { isOutOfMemory } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { Episode } from "./episode.ts";
import { type Asked, openSession } from "./open-session.ts";
import type { Failure, RolloutOptions, RolloutPlace } from "./options.ts";

export interface Rollout<Content = unknown> {
  /**
   * By task, `samples` each. A trace without rewards is of an episode that was dropped; an episode that failed before anything was written
   * has no trace.
   */
  readonly groups: readonly (readonly Trace<Image, Content>[])[];
  readonly failures: readonly Failure[];
}

/**
 * Rolls every task out `samples` times. A response is a function of its task, its seed and the policy, whatever else runs beside it: where memory
 * runs out, half as many groups are begun again together, and a single one once more.
 * @throws GrpoError `rollout` where an episode fails and `onFailure` is `stop`; the reason of `signal` where it aborts; what the policy throws
 * but for inputs that it cannot encode
 */
export async function rollout<Content>(
  policy: Policy,
  environment: Environment<Content>,
  tasks: readonly Task<Content>[],
  options: RolloutOptions,
  place: RolloutPlace,
): Promise<Rollout<Content>> {
  const { samples, signal } = options;
  const groups: Episode<Content>[][] = [];
  const begin = (task: Task<Content>, i: number): Episode<Content>[] => {
    const group = (place.firstGroup ?? 0) + groups.length + i;
    return Array.from({ length: samples }, (_, sample) => {
      const at = { step: place.step, group, sample, policyVersion: policy.version };
      return new Episode(environment, task, at, options.timeoutMs);
    });
  };
  let { groupsAtOnce: atOnce = tasks.length } = options;
  let isLastTry = false;
  const waited = { milliseconds: 0 };
  while (groups.length < tasks.length) {
    const some = tasks.slice(groups.length, groups.length + atOnce).map(begin);
    try {
      await runTogether({ policy, options, place, waited }, environment, some);
      groups.push(...some);
    } catch (error) {
      if (!isOutOfMemory(error) || isLastTry) throw error;
      isLastTry = some.length === 1;
      atOnce = Math.ceil(some.length / 2);
      options.onWarning?.(
        `memory ran out with ${some.length} groups at once: they are begun again, ${atOnce} at once; set rollout.groupsAtOnce to save the time`,
      );
    }
  }
  const finished = groups.map((episodes) => Promise.all(episodes.map((episode) => finish(episode, options))));
  const traces = await waitFor(Promise.all(finished), waited, signal);
  const tools = groups.flat().reduce((sum, { toolTime }) => sum + toolTime, 0);
  options.onTimes?.({ tools, waiting: waited.milliseconds });
  return {
    groups: traces.map((group) => group.filter((trace) => trace !== undefined)),
    failures: groups.flat().flatMap(({ failure }) => failure ?? []),
  };
}

async function waitFor<T>(work: Promise<T>, waited: Waited, signal: AbortSignal | undefined): Promise<T> {
  const begun = performance.now();
  try {
    return await unlessAborted(work, signal);
  } finally {
    waited.milliseconds += performance.now() - begun;
  }
}

async function runTogether(run: Run, environment: Environment, groups: readonly (readonly Episode[])[]): Promise<void> {
  const { signal } = run.options;
  const asked: Asked[] = [];
  for (const episodes of groups) {
    await setImmediate(undefined, { signal }).catch(() => signal?.throwIfAborted());
    asked.push(...firstInputs(environment, episodes));
  }
  await runSession(run, asked);
}

/** Nothing where the environment fails at the prompt. */
function firstInputs(environment: Environment, episodes: readonly Episode[]): Asked[] {
  const [first] = episodes;
  if (!first) return [];
  try {
    return [{ input: { freshPrompt: true, blocks: environment.prompt(first.task) }, episodes }];
  } catch (error) {
    for (const episode of episodes) episode.fail(error);
    return [];
  }
}

interface Run {
  readonly policy: Policy;
  readonly options: RolloutOptions;
  readonly place: RolloutPlace;
  readonly waited: Waited;
}

interface Waited {
  milliseconds: number;
}

/** An episode and what its next turn starts from. */
interface Active {
  readonly episode: Episode;
  readonly input: TurnInput;
}

/** Runs episodes from their prompts to their end; those that go on with a prompt of their own get a session of their own. */
async function runSession(run: Run, prompts: readonly Asked[]): Promise<void> {
  const { session, opened } = await openSession(run.policy, prompts, run.options.signal);
  try {
    stopAtFailure(
      run,
      prompts.flatMap(({ episodes }) => episodes),
    );
    if (!session) return;
    let active: Active[] = opened.flatMap(({ input, episodes }) => episodes.map((episode) => ({ episode, input })));
    const samples = active.length / opened.length;
    while (active.length > 0) {
      const next = await writeTurn(run, session, active, samples);
      const rebuilt = active.flatMap(({ episode }, i): Asked[] => {
        const input = next[i];
        return input?.freshPrompt ? [{ input, episodes: [episode] }] : [];
      });
      if (rebuilt.length > 0) await runSession(run, rebuilt);
      active = await appendInputs(run, session, active, next);
    }
  } finally {
    session?.close();
  }
}

/** Those that go on in this session. */
async function appendInputs(
  run: Run,
  session: Session,
  active: readonly Active[],
  next: readonly (TurnInput | undefined)[],
): Promise<Active[]> {
  const appended = next.map((input) => (input?.freshPrompt ? undefined : input));
  if (appended.every((input) => input === undefined)) return [];
  const refused = new Map(
    (await session.append(appended, { signal: run.options.signal })).map(({ response, reason }) => [response, reason]),
  );
  const going = active.flatMap(({ episode }, i) => {
    const input = appended[i];
    const reason = refused.get(i);
    if (reason) episode.fail(reason);
    return input && !reason ? [{ episode, input }] : [];
  });
  stopAtFailure(
    run,
    active.map(({ episode }) => episode),
  );
  return going;
}

/** One turn of every episode; the environment works on those that have ended while others are still being written. */
async function writeTurn(
  { options, place, waited }: Run,
  session: Session,
  active: readonly Active[],
  samples: number,
): Promise<(TurnInput | undefined)[]> {
  const steps: Promise<TurnInput | undefined>[] = [];
  const take = (i: number, turn: Turn): void => {
    const writing = active[i];
    if (!writing) throw new GrpoError("argument", `the policy wrote response ${i} of ${active.length}`);
    steps[i] ??= writing.episode.take(writing.input, turn, options.maxTurns ?? 2);
  };
  const turns = await session.generate({
    samples,
    sampling: { ...options.sampling, temperature: temperatureOf(active, options) },
    seeds: active.map(({ episode }) => place.seed(episode.place.group, episode.place.sample, episode.turns)),
    maxTokens: options.maxTokens,
    signal: options.signal,
    onTurn: take,
  });
  if (turns.length !== active.length)
    throw new GrpoError("argument", `the policy wrote ${turns.length} turns where ${active.length} were asked for`);
  turns.forEach((turn, i) => {
    take(i, turn); // of a session that tells of no turn as it ends
  });
  const next = await waitFor(Promise.all(steps), waited, options.signal);
  stopAtFailure(
    { options },
    active.map(({ episode }) => episode),
  );
  return next;
}

function temperatureOf(active: readonly Active[], { sampling }: RolloutOptions): number {
  const [first = sampling.temperature, ...others] = new Set(
    active.map(({ input }) => input.temperature ?? sampling.temperature),
  );
  if (others.length === 0) return first;
  const all = [first, ...others].join(" and ");
  throw new GrpoError("argument", `turns that are generated together ask for temperatures ${all}`);
}

async function finish<Content>(
  episode: Episode<Content>,
  options: RolloutOptions,
): Promise<Trace<Image, Content> | undefined> {
  const rewards = await episode.rewards();
  if (rewards) return episode.trace(rewards);
  stopAtFailure({ options }, [episode]);
  if (episode.turns === 0) return undefined;
  return episode.trace(options.onFailure === "penalize" ? { outcome: options.failureReward ?? 0 } : {});
}

/** @throws GrpoError `rollout` for the first that failed, unless failures are to be passed over */
function stopAtFailure({ options }: Pick<Run, "options">, episodes: readonly Episode[]): void {
  if ((options.onFailure ?? "stop") !== "stop") return;
  for (const { failure } of episodes) if (failure) throw stopped(failure);
}

function stopped({ group, sample, task, message, cause }: Failure): GrpoError {
  return new GrpoError(
    "rollout",
    `the episode of group ${group}, sample ${sample}, task ${task} failed: ${message}; correct its cause, or let failed episodes pass by grpo.rollout.onFailure: drop or penalize`,
    { cause },
  );
}

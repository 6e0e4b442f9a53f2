// The first half of a step: rollouts until there are enough groups to train on, and their shaped rewards.
import type { Environment, FailedEpisode, Image, Task, Trace } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import type { DynamicSamplingOptions } from "../config.ts";
import { countGroups, informativeGroups } from "../math/index.ts";
import { type Metrics, summary } from "../metrics/rollout-metrics.ts";
import type { Scorer, TrainablePolicy } from "../policy.ts";
import type { Failure, RolloutOptions, RolloutTimes } from "../rollout/options.ts";
import { type Rollout, rollout } from "../rollout/rollout.ts";
import type { Scorers } from "../scorers/types.ts";
import { scoreTraces } from "../update/score.ts";
import type { Workforce } from "../workforce.ts";
import type { GrpoOptions } from "./options.ts";
import { withOwnReward } from "./own-reward.ts";
import type { Place, Stopwatch } from "./recipe.ts";
import { type PenaltyFunction, type RewardFunction, type ShapedSample, shapeSample } from "./shaping.ts";
import type { TaskOrder } from "./task-source.ts";

export interface CollectParts<Content> {
  readonly policy: TrainablePolicy;
  readonly environment: Environment<Content>;
  readonly order: TaskOrder<Task<Content>>;
  readonly reference: Scorer | undefined;
  readonly reward?: RewardFunction<Content> | undefined;
  readonly penalty?: PenaltyFunction<Content> | undefined;
  readonly scorers: Scorers;
  readonly workforce?: Workforce | undefined;
  readonly options: GrpoOptions;
}

/** Failures that a step's file holds. */
const KEPT_FAILURES = 8;

export interface Collected {
  /** The first ones. */
  readonly failures: readonly FailedEpisode[];
  readonly groups: readonly (readonly ShapedSample[])[];
  readonly cursor: number;
  readonly metrics: Metrics;
}

export async function collectGroups<Content>(
  parts: CollectParts<Content>,
  place: Place,
  watch: Stopwatch,
): Promise<Collected> {
  const { groups: wanted, dynamicSampling } = parts.options;
  const kept: (readonly ShapedSample[])[] = [];
  let { cursor } = place;
  const failed: Failure[] = [];
  let [tried, homogeneous] = [0, 0];
  for (let round = 0; kept.length < wanted && round < (dynamicSampling?.tries ?? 1); round++) {
    const { shaped, failures } = await rollOut(parts, { ...place, cursor }, tried, watch);
    homogeneous += countGroups(...rewardsOf(shaped.flat(), "total")).homogeneous;
    failed.push(...failures);
    tried += wanted;
    cursor += wanted;
    kept.push(...informative(shaped, dynamicSampling).slice(0, wanted - kept.length));
  }
  const scored = kept.flat().filter(({ shapedReward }) => !Number.isNaN(shapedReward));
  const metrics: Metrics = {
    ...summary(
      "critic/score",
      scored.flatMap(({ rewards }) => rewards.outcome ?? []),
    ),
    ...summary(
      "critic/rewards",
      scored.map(({ shapedReward }) => shapedReward),
    ),
    ...(scored.some(({ penalty }) => penalty !== 0) && penaltyMetrics(scored)),
    ...(parts.options.maxLag !== undefined &&
      summary(
        "rollout/lag",
        kept.flat().map(({ trace }) => parts.policy.version - trace.policyVersion),
      )),
    homogeneous_group_frac: homogeneous / tried,
    "rollout/failed": failed.length,
    "rollout/failed_frac": failed.length / (tried * parts.options.rollout.samples),
    "rollout/groups": tried,
  };
  const failures = failed
    .slice(0, KEPT_FAILURES)
    .map(({ group, sample, task, message }) => ({ group, sample, task, message }));
  return { groups: kept, cursor, metrics, failures };
}

/** One round of rollouts, as many groups as a step wants. */
async function rollOut<Content>(parts: CollectParts<Content>, place: Place, firstGroup: number, watch: Stopwatch) {
  const { policy, environment, order, reference, penalty, scorers, workforce, options } = parts;
  const { step, signal } = place;
  const tasks = await order.take(place.cursor, options.groups, signal);
  let times: RolloutTimes = { tools: 0, waiting: 0 };
  const onTimes = (within: RolloutTimes): void => {
    times = within;
  };
  const rolled = await watch.time("rollout", async () => {
    const elsewhere = workforce?.rollout({ step, tasks, cursor: place.cursor, firstGroup }, signal);
    handOutAhead(parts, place);
    return (
      (await elsewhere) ?? (await rolloutAt(policy, environment, tasks, options, { step, firstGroup, signal, onTimes }))
    );
  });
  watch.split("rollout", { ...times });
  const written = rolled.groups.filter((traces) => traces.length > 0);
  const groups = await watch.time("reward", () => withRewards(written, parts.reward));
  const { device } = policy;
  device.trimPhase(); // the next part's tensors have other sizes
  const penalties = penalty && (await watch.time("penalty", () => penalty(groups, step, scorers)));
  if (penalty) device.trimPhase();
  const microBatchTokens = options.update?.microBatchTokens;
  const score = (scorer: Scorer) => device.retryOutOfMemory(() => scoreTraces(scorer, groups, microBatchTokens));
  const scores = reference && (await watch.time("score", () => score(reference)));
  if (reference) device.trimPhase();
  const shaping = { overlong: options.overlong, kl: options.loss.kl };
  const shaped = groups.map((traces, group) =>
    traces.map((trace, i) => shapeSample(trace, penalties?.[group]?.[i], scores?.[group]?.[i], shaping)),
  );
  return { shaped, failures: rolled.failures };
}

/** Steps to come, the next one first, as far ahead as they may be. */
function handOutAhead<Content>(
  { order, workforce, options: { groups, maxLag = 0, steps = Number.POSITIVE_INFINITY } }: CollectParts<Content>,
  { step, cursor: now, signal }: Place,
): void {
  for (let ahead = 1; ahead <= maxLag && step + ahead < steps; ahead++) {
    const cursor = now + ahead * groups;
    const request = async () => ({ tasks: await order.take(cursor, groups, signal), cursor, firstGroup: 0 });
    workforce?.rolloutAhead?.(step + ahead, request, signal);
  }
}

/** Rollouts at a place of a run, with its seeds. @throws as `rollout` */
export function rolloutAt<Content>(
  policy: TrainablePolicy,
  environment: Environment<Content>,
  tasks: readonly Task<Content>[],
  { seed, rollout: options }: Pick<GrpoOptions, "seed" | "rollout">,
  {
    step,
    firstGroup,
    ...more
  }: { readonly step: number; readonly firstGroup: number } & Pick<RolloutOptions, "signal" | "onTimes">,
): Promise<Rollout<Content>> {
  return rollout(
    policy,
    environment,
    tasks,
    { ...options, ...more, onWarning: (message) => policy.device.warn(message) },
    { step, firstGroup, seed: (...at) => deriveSeed(seed, "rollout", step, ...at) },
  );
}

/** The user's rewards beside, or in place of, the environment's; a dropped sample gets none. */
async function withRewards<Content>(
  groups: readonly (readonly Trace<Image, Content>[])[],
  reward: RewardFunction<Content> | undefined,
): Promise<readonly (readonly Trace<Image, Content>[])[]> {
  if (!reward) return groups;
  const rewarded = async (trace: Trace<Image, Content>): Promise<Trace<Image, Content>> => {
    if (trace.rewards.outcome === undefined) return trace;
    return withOwnReward(trace, reward);
  };
  return Promise.all(groups.map((traces) => Promise.all(traces.map(rewarded))));
}

function informative(
  groups: readonly (readonly ShapedSample[])[],
  options: DynamicSamplingOptions | undefined,
): readonly (readonly ShapedSample[])[] {
  if (!options) return groups;
  return groups.filter((group) => informativeGroups(...rewardsOf(group, options.by)).includes(1));
}

function rewardsOf(
  samples: readonly ShapedSample[],
  by: DynamicSamplingOptions["by"],
): [rewards: number[], groups: number[]] {
  const rewardOf = ({ rewards, shapedReward }: ShapedSample): number =>
    by === "total" ? shapedReward : (rewards.outcome ?? Number.NaN);
  return [samples.map(rewardOf), samples.map(({ trace }) => trace.group)];
}

/** `critic/penalty_share`: deviation of the penalty over the sum of those of penalty and outcome. */
function penaltyMetrics(samples: readonly ShapedSample[]): Metrics {
  const penalties = samples.map(({ penalty }) => penalty);
  const own = deviation(penalties);
  const both = own + deviation(samples.flatMap(({ rewards }) => rewards.outcome ?? []));
  return { ...summary("critic/penalty", penalties), "critic/penalty_share": both === 0 ? 0 : own / both };
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

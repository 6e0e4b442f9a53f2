// GRPO as a recipe: rollouts, shaped rewards, advantages, update.
import type { Environment, FailedEpisode, StepLog, Task, TurnAdvantage } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import { likeliestIds } from "../distillation/likeliest.ts";
import { tokenDistillationMetrics } from "../distillation/metrics.ts";
import { tokenAdvantages, withTeacherLogProbs } from "../distillation/token.ts";
import { GrpoError } from "../error.ts";
import type { TensorLoss } from "../losses/define.ts";
import { at } from "../math/batch.ts";
import { rolloutMetrics, summary } from "../metrics/rollout-metrics.ts";
import { updateMetrics } from "../metrics/update-metrics.ts";
import type { TrainablePolicy } from "../policy.ts";
import { tokenScorer } from "../scorers/token-scorer.ts";
import type { Scorers, ScoringTeacher } from "../scorers/types.ts";
import { Learner, type LearnerOptions } from "../update/learner.ts";
import { scoreTraces } from "../update/score.ts";
import type { ScoredGroup } from "../update/tokens.ts";
import { type MiniBatch, type UpdateDistillation, updatePolicy } from "../update/update.ts";
import type { Workforce } from "../workforce.ts";
import { type CollectParts, collectGroups } from "./collect.ts";
import type { GrpoOptions } from "./options.ts";
import { type Place, type Recipe, type RecipeStep, Stopwatch } from "./recipe.ts";
import {
  type AdvantageFunction,
  advantageFunction,
  advantagesBy,
  type PenaltyFunction,
  type RewardFunction,
  type ShapedSample,
} from "./shaping.ts";
import { TaskOrder, type TaskSource } from "./task-source.ts";

/** `Content`: what the tasks are about. */
export interface GrpoParts<Content = unknown> {
  readonly policy: TrainablePolicy;
  readonly environment: Environment<Content>;
  readonly tasks: TaskSource<Task<Content>>;
  readonly learner: LearnerOptions;
  readonly reward?: RewardFunction<Content> | undefined;
  readonly penalty?: PenaltyFunction<Content> | undefined;
  /** Scores the student's tokens, where a penalty function asks. */
  readonly scoringTeacher?: ScoringTeacher | undefined;
  /** In place of `options.advantage`. */
  readonly advantage?: AdvantageFunction | undefined;
  /** In place of `options.loss.kind`. */
  readonly loss?: TensorLoss | undefined;
  /** Others who do parts of a step's work, to the same bits. */
  readonly workforce?: Workforce | undefined;
}

/**
 * The policy as it is now is the reference of KL.
 * @throws GrpoError `argument` for distillation without a teacher
 */
export function grpoRecipe<Content>(given: GrpoParts<Content>, options: GrpoOptions): Recipe {
  const parts = withDistillation(given, options);
  const learner = new Learner(parts.policy, parts.learner, parts.workforce);
  const reference = options.loss.kl ? referenceOf(parts.policy, learner) : undefined;
  const order = new TaskOrder(parts.tasks, deriveSeed(options.seed, "order"));
  const scorers = scorersOf(parts, options);
  return {
    learner,
    step: (place) => grpoStep({ ...parts, learner, reference, order, scorers, options }, place),
    dispose: () => {
      learner.dispose();
      reference?.dispose();
    },
  };
}

/** Distillation by token is a penalty's evidence and an advantage; that by loss asks the teacher later. */
function withDistillation<Content>(parts: GrpoParts<Content>, options: GrpoOptions): GrpoParts<Content> {
  const { distillation } = options;
  if (distillation && !parts.scoringTeacher) throw new GrpoError("argument", "distillation needs a scoringTeacher");
  if (distillation?.kind !== "token") return parts;
  const ofRewards = parts.advantage ?? advantageFunction(options.advantage);
  return {
    ...parts,
    penalty: withTeacherLogProbs(parts.penalty),
    advantage: tokenAdvantages(distillation, ofRewards),
  };
}

function scorersOf<Content>(
  { policy, scoringTeacher: teacher }: GrpoParts<Content>,
  { rollout: { maxTokens }, update }: GrpoOptions,
): Scorers {
  const how = { device: policy.device, microBatchTokens: update?.microBatchTokens, maxTokens };
  return { policy: tokenScorer({ model: policy }, how), teacher: teacher && tokenScorer(teacher, how) };
}

/** After an error, nothing of either is left. */
function referenceOf(policy: TrainablePolicy, learner: Learner): ReturnType<TrainablePolicy["reference"]> {
  try {
    return policy.reference();
  } catch (error) {
    learner.dispose();
    throw error;
  }
}

interface StepParts<Content> extends CollectParts<Content> {
  readonly policy: TrainablePolicy;
  readonly scoringTeacher?: ScoringTeacher | undefined;
  readonly learner: Learner;
  readonly advantage?: AdvantageFunction | undefined;
  readonly loss?: TensorLoss | undefined;
}

async function grpoStep<Content>(parts: StepParts<Content>, place: Place): Promise<RecipeStep> {
  const { options, policy, learner } = parts;
  const { loss, update, rollout } = options;
  const watch = new Stopwatch(place.onPhase);
  const { groups, cursor, metrics, failures } = await collectGroups(parts, place, watch);
  const samples = groups.flat();
  const advantageOf = parts.advantage ?? advantageFunction(options.advantage);
  const advantages = advantagesBy(advantageOf, samples);
  let done = 0;
  const scored = groups.map((group) => group.map((sample) => ({ ...sample, advantages: at(advantages, done++) })));
  const kept = scored.map((group) => group.filter(({ shapedReward }) => !Number.isNaN(shapedReward)));
  const ready = options.recomputeOldLogProbs
    ? await watch.time("score", () => withOldLogProbs(policy, kept, update?.microBatchTokens))
    : kept;
  const teacher = teacherOf(parts);
  const { topK } = teacher?.settings ?? {};
  const taught =
    teacher && topK !== undefined ? await watch.time("teacher", () => withLikeliest(parts, ready, topK)) : ready;
  const seed = deriveSeed(options.seed, "update", place.step);
  parts.order.prepare(cursor, options.groups);
  const batches = await watch.time("update", () =>
    updatePolicy(
      learner,
      taught,
      { ...update, loss, customLoss: parts.loss, distillation: teacher, signal: place.signal },
      seed,
    ),
  );
  policy.device.trimPhase();
  const traces = samples.map(({ trace }) => trace);
  return {
    traces,
    log: { samples: scored.flat().map(sampleLog), updates: batches.map(updateLog), failures },
    metrics: {
      ...rolloutMetrics(traces, rollout.maxTokens),
      ...metrics,
      ...summary("critic/advantages", advantages.flat(2)),
      ...updateMetrics(batches, loss),
      ...tokenDistillationMetrics(samples),
    },
    cursor,
    empty: ready.some((group) => group.length > 0) ? undefined : reasonOf(failures[0]),
    timings: watch.timings,
  };
}

/** Of distillation by loss. */
function teacherOf<Content>({ options, scoringTeacher }: StepParts<Content>): UpdateDistillation | undefined {
  const { distillation: settings } = options;
  return settings?.kind === "loss" && scoringTeacher ? { settings, teacher: scoringTeacher.model } : undefined;
}

/** The ids that the teacher finds likeliest at every token. */
async function withLikeliest<Content>(
  { policy: { device }, scoringTeacher, options }: StepParts<Content>,
  groups: readonly ScoredGroup[],
  k: number,
): Promise<readonly ScoredGroup[]> {
  const traces = groups.map((group) => group.map(({ trace }) => trace));
  if (!scoringTeacher || traces.flat().length === 0) return groups;
  const { model, use = (work) => work() } = scoringTeacher;
  const ask = () => device.retryOutOfMemory(() => likeliestIds(model, traces, k, options.update?.microBatchTokens));
  const found = await use(ask);
  device.trimPhase();
  return groups.map((group, g) => group.map((one, i) => ({ ...one, likeliest: at(at(found, g), i) })));
}

/** Undefined where no episode failed: then groups whose rewards are all equal were left out. */
function reasonOf(failure: FailedEpisode | undefined): string | undefined {
  return failure && `all episodes failed, the first one, of task ${failure.task}, by: ${failure.message}`;
}

/** Log-probs by the update's own kernels, in place of those of the rollout. */
async function withOldLogProbs(
  policy: TrainablePolicy,
  groups: readonly ScoredGroup[],
  microBatchTokens: number | undefined,
): Promise<ScoredGroup[]> {
  const traces = groups.map((group) => group.map(({ trace }) => trace));
  const { device } = policy;
  const scores = await device.retryOutOfMemory(() => scoreTraces(policy, traces, microBatchTokens));
  device.trimPhase();
  return groups.map((group, g) => group.map((one, i) => ({ ...one, oldLogProbs: at(at(scores, g), i) })));
}

function sampleLog(
  sample: ShapedSample & { readonly advantages: readonly TurnAdvantage[] },
): StepLog["samples"][number] {
  const { trace, penalty, shapedReward, advantages, evidence } = sample;
  const shaped = Number.isNaN(shapedReward) ? null : shapedReward;
  const { group, sample: number } = trace;
  return { group, sample: number, penalty, shapedReward: shaped, advantages, ...(evidence && { evidence }) };
}

function updateLog({ scored, constants: { offsets }, outcome, computed }: MiniBatch): StepLog["updates"][number] {
  const loss = computed?.loss ?? outcome.loss;
  const samples = scored.map(({ trace, oldLogProbs, referenceLogProbs }, row) => ({
    group: trace.group,
    sample: trace.sample,
    logProbs: outcome.logProbs.slice(offsets[row], offsets[row + 1]),
    ...(oldLogProbs && { oldLogProbs: Float32Array.from(oldLogProbs) }),
    ...(referenceLogProbs && { referenceLogProbs: Float32Array.from(referenceLogProbs) }),
    ...(outcome.divergences && { divergences: outcome.divergences.slice(offsets[row], offsets[row + 1]) }),
  }));
  return { samples, loss: Number.isFinite(loss) ? loss : null, ...(outcome.skipped && { skipped: true }) };
}

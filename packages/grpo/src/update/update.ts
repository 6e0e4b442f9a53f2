// The update of a step: mini-batches of groups, each one optimizer step, over one or more epochs.

import { joinSampledTokens, type Trajectory } from "@iapo/rollout-trace";
import * as ops from "@iapo/tensor-core";
import { type Device, deriveSeed, type Seed, scope, type Tensor } from "@iapo/tensor-core";
import { pieceDivergence } from "../distillation/piece.ts";
import type { LossDistillation } from "../distillation/settings.ts";
import type { TensorLoss } from "../losses/define.ts";
import {
  aggregationOf,
  aggregationWeights,
  batchCounts,
  computeLoss,
  importanceWeights,
  type LossOptions,
  type PolicyLoss,
} from "../math/index.ts";
import type { Scorer } from "../policy.ts";
import type { Piece } from "./gradients.ts";
import type { Learner, StepOutcome } from "./learner.ts";
import { allConstantsFinite, type LossConstants, sliceResponses, uploadConstants } from "./loss-constants.ts";
import { ownLoss } from "./own-loss.ts";
import { shuffled } from "./shuffled.ts";
import { splitByRows } from "./split.ts";
import { tensorLoss } from "./tensor-loss.ts";
import { advantagesPerToken, countedTokens, joinPerToken, type ScoredGroup, type ScoredTrace } from "./tokens.ts";

export interface UpdateOptions {
  readonly loss: LossOptions;
  /** In place of the loss of `loss.kind`; masks, weights and KL inputs are made as `loss` says. */
  readonly customLoss?: TensorLoss | undefined;
  /** Groups per optimizer step; default all of them. */
  readonly miniBatch?: number | undefined;
  /** Passes over the step's groups; default 1. From the second on, groups are shuffled. */
  readonly epochs?: number | undefined;
  /** Rows of one forward and backward pass at most; default no limit. */
  readonly microBatchTokens?: number | undefined;
  /** How a mini-batch becomes pieces: as many groups as fit `microBatchTokens` in each, or each group by itself. Default packed. */
  readonly split?: "packed" | "group" | undefined;
  /** A teacher's distributions in the loss. */
  readonly distillation?: UpdateDistillation | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UpdateDistillation {
  readonly settings: LossDistillation;
  /** Asked in every pass, unless traces bring its likeliest ids. */
  readonly teacher: Scorer;
}

/** A mini-batch and its constants. */
export interface PreparedBatch {
  readonly scored: readonly ScoredTrace[];
  /** [N] as the rollout measured them. */
  readonly rolloutLogProbs: Float32Array;
  readonly constants: LossConstants;
  /** Their gradients add up to that of the whole. */
  readonly pieces: readonly Piece[];
}

/** A mini-batch after its step. */
export interface MiniBatch extends PreparedBatch {
  readonly outcome: StepOutcome;
  /** The loss before the step in f64, from the log-probs that the GPU gave; undefined for a custom loss. */
  readonly computed: PolicyLoss | undefined;
}

/**
 * Trains on the groups; a mini-batch without a token that counts is left out.
 * @throws the reason of the signal; mini-batches that are done stay so
 */
export async function updatePolicy(
  learner: Learner,
  groups: readonly ScoredGroup[],
  options: UpdateOptions,
  seed: Seed,
): Promise<MiniBatch[]> {
  const { epochs = 1, miniBatch = groups.length } = options;
  const done: MiniBatch[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = epoch === 0 ? groups : shuffled(groups, deriveSeed(...seed, epoch));
    for (let start = 0; start < order.length; start += miniBatch) {
      const batch = prepareMiniBatch(learner, order.slice(start, start + miniBatch), options);
      if (!batch) continue;
      const outcome = await learner.step(batch.pieces, options.signal);
      done.push({
        ...batch,
        outcome,
        computed: options.customLoss ? undefined : computed(batch, outcome, options),
      });
    }
  }
  return done;
}

function computed(
  { constants, rolloutLogProbs }: PreparedBatch,
  { logProbs, divergences }: StepOutcome,
  { loss, distillation: taught }: UpdateOptions,
): PolicyLoss {
  const { advantages, referenceLogProbs } = constants;
  const distillation = taught && divergences && { divergences, mix: taught.settings.mix };
  const batch = { ...constants, logProbs };
  return computeLoss({ batch, advantages, referenceLogProbs, rolloutLogProbs, distillation }, loss);
}

/** A mini-batch in pieces; undefined where no token counts. */
export function prepareMiniBatch(
  learner: Learner,
  groups: readonly ScoredGroup[],
  options: UpdateOptions,
): PreparedBatch | undefined {
  const { loss, microBatchTokens = Number.POSITIVE_INFINITY, customLoss, distillation, split } = options;
  const lossFunction = customLoss ? ownLoss(customLoss) : tensorLoss(loss);
  const scored = groups.flat();
  const traces = scored.map(({ trace }) => trace);
  const sampled = joinSampledTokens(traces);
  const { offsets, logProbs: rolloutLogProbs } = sampled;
  const mask = countedTokens(loss, traces, sampled);
  const batch = { offsets, mask, oldLogProbs: joinPerToken(scored, "oldLogProbs", sampled) };
  const counts = batchCounts(batch);
  if (counts.tokens === 0) return undefined;
  const constants: LossConstants = {
    ...batch,
    advantages: advantagesPerToken(scored, sampled),
    tokenWeights: aggregationWeights(aggregationOf(loss, counts), batch),
    importance: loss.importance && importanceWeights(batch, rolloutLogProbs, loss.importance),
    referenceLogProbs: scored[0]?.referenceLogProbs && joinPerToken(scored, "referenceLogProbs", sampled),
  };
  const { device } = learner.policy;
  let row = 0;
  const parts = split === "group" ? groups.map((group) => [group]) : [groups];
  const cut = parts.flatMap((part) => splitByRows(part, microBatchTokens, ({ trace }) => trace));
  const pieces = cut.map((piece): Piece => {
    const own = sliceResponses(constants, row, row + piece.flat().length);
    row += piece.flat().length;
    return {
      groups: piece.map((group) => group.map(({ trace }) => trace)),
      finite: allConstantsFinite(own),
      divergence: distillation && (() => pieceDivergence(distillation, piece)),
      share: distillation ? undefined : { kind: "policy", constants: own },
      loss: (made) => lossOf(device, lossFunction, own, made, distillation?.settings.mix),
    };
  });
  return { scored, rolloutLogProbs, constants, pieces };
}

/** A piece from its traces and constants alone, as `prepareMiniBatch` makes it where no teacher is in the loss. */
export function policyPiece(
  device: Device,
  groups: readonly (readonly Trajectory[])[],
  constants: LossConstants,
  { loss, customLoss }: Pick<UpdateOptions, "loss" | "customLoss">,
): Piece {
  const lossFunction = customLoss ? ownLoss(customLoss) : tensorLoss(loss);
  return { groups, loss: (made) => lossOf(device, lossFunction, constants, made) };
}

function lossOf(
  device: Device,
  loss: TensorLoss,
  constants: LossConstants,
  { divergence, ...made }: Parameters<Piece["loss"]>[0],
  mix = 0,
): Tensor {
  return scope(() => {
    const tensors = { ...made, ...uploadConstants(device, constants) };
    if (!divergence) return loss(tensors, ops);
    const taught = ops.multiply(ops.dot(divergence, tensors.tokenWeights), mix);
    return mix === 1 ? taught : ops.add(ops.multiply(loss(tensors, ops), 1 - mix), taught);
  });
}

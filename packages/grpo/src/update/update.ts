// The update of a step: mini-batches of groups, each one optimizer step, over one or more epochs.
import { type Device, deriveSeed, type LogProbs, randomWords, type Seed, scope } from "@iapo/tensor-core";
import { tensorLoss } from "../loss/policy-loss.ts";
import { type LossConstants, type TensorLoss, uploadConstants } from "../loss/tensors.ts";
import {
  type Aggregation,
  aggregationWeights,
  batchCounts,
  computeLoss,
  importanceWeights,
  type LossOptions,
  type PolicyLoss,
  type TokenBatch,
  turnMask,
} from "../math/index.ts";
import type { Learner, Piece, StepOutcome } from "./learner.ts";
import { splitByRows } from "./split.ts";
import { joinPerToken, type ScoredGroup, type ScoredTrace, tokensOf } from "./tokens.ts";

export interface UpdateOptions {
  readonly loss: LossOptions;
  /** In place of the loss of `loss.kind`; masks, weights and KL inputs are made as `loss` says. */
  readonly customLoss?: TensorLoss | undefined;
  /** Groups per optimizer step; default all of them. */
  readonly miniBatch?: number | undefined;
  /** Passes over the step's groups; default 1. From the second on, groups are shuffled. */
  readonly epochs?: number | undefined;
  /** Rows of one forward and backward pass at most; default no limit. */
  readonly rowBudget?: number | undefined;
}

/** A mini-batch and its constants. */
export interface PreparedBatch {
  readonly scored: readonly ScoredTrace[];
  readonly tokens: Omit<TokenBatch, "logProbs"> & { readonly rolloutLogProbs: Float64Array };
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

/** Trains on the groups; a mini-batch without a token that counts is left out. */
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
      const outcome = await learner.step(batch.pieces);
      done.push({
        ...batch,
        outcome,
        computed: options.customLoss ? undefined : computed(batch, outcome, options.loss),
      });
    }
  }
  return done;
}

function computed({ tokens, constants }: PreparedBatch, { logProbs }: StepOutcome, loss: LossOptions): PolicyLoss {
  const { advantages, referenceLogProbs } = constants;
  const { rolloutLogProbs } = tokens;
  return computeLoss({ batch: { ...tokens, logProbs }, advantages, referenceLogProbs, rolloutLogProbs }, loss);
}

/** A mini-batch in pieces; undefined where no token counts. */
export function prepareMiniBatch(
  learner: Learner,
  groups: readonly ScoredGroup[],
  options: UpdateOptions,
): PreparedBatch | undefined {
  const { loss, rowBudget = Number.POSITIVE_INFINITY, customLoss = tensorLoss(loss) } = options;
  const scored = groups.flat();
  const tokens = tokensOf(scored.map(({ trace }) => trace));
  const { offsets, rolloutLogProbs, turnOfToken } = tokens;
  const all = new Uint8Array(rolloutLogProbs.length).fill(1);
  const mask = turnMask(loss.turns, { offsets, mask: all }, turnOfToken);
  const batch = { offsets, mask, oldLogProbs: joinPerToken(scored, "oldLogProbs", tokens) };
  const counts = batchCounts(batch);
  if (counts.tokens === 0) return undefined;
  const advantages = Float64Array.from(turnOfToken);
  scored.forEach((one, row) => {
    for (let token = offsets[row]!; token < offsets[row + 1]!; token++)
      advantages[token] = one.advantages[turnOfToken[token]!]!;
  });
  const constants: LossConstants = {
    ...batch,
    advantages,
    shares: aggregationWeights(aggregationOf(loss, counts), batch),
    importance: loss.importance && importanceWeights(batch, rolloutLogProbs, loss.importance),
    referenceLogProbs: scored[0]!.referenceLogProbs && joinPerToken(scored, "referenceLogProbs", tokens),
  };
  const { device } = learner.policy;
  let row = 0;
  const pieces = splitByRows(groups, rowBudget, ({ trace }) => trace).map((piece): Piece => {
    const own = sliceRows(constants, row, row + piece.flat().length);
    row += piece.flat().length;
    return {
      groups: piece.map((group) => group.map(({ trace }) => trace)),
      loss: (made) => lossOf(device, customLoss, own, made),
    };
  });
  return { scored, tokens: { ...batch, rolloutLogProbs }, constants, pieces };
}

function lossOf(device: Device, loss: TensorLoss, constants: LossConstants, made: LogProbs) {
  return scope(() => loss({ ...made, ...uploadConstants(device, constants) }));
}

function aggregationOf(loss: LossOptions, counts: { tokens: number; sequences: number }): Aggregation {
  if (loss.aggregation !== "constant") return { kind: loss.aggregation, ...counts };
  return { kind: "constant", length: loss.constantLength ?? Number.NaN, sequences: counts.sequences };
}

/** The constants of responses `first` to `end - 1`. */
function sliceRows({ offsets, ...perToken }: LossConstants, first: number, end: number): LossConstants {
  const [from, to] = [offsets[first]!, offsets[end]!];
  const cut = (values: ArrayLike<number>): number[] => Array.from(values).slice(from, to);
  const { mask, oldLogProbs, advantages, shares, importance, referenceLogProbs } = perToken;
  return {
    offsets: Array.from(offsets)
      .slice(first, end + 1)
      .map((offset) => offset - from),
    mask: cut(mask),
    oldLogProbs: cut(oldLogProbs),
    advantages: cut(advantages),
    shares: cut(shares),
    importance: importance && cut(importance),
    referenceLogProbs: referenceLogProbs && cut(referenceLogProbs),
  };
}

/** Fisher and Yates, from a counter-based generator. */
export function shuffled<T>(items: readonly T[], seed: Seed): T[] {
  const order = [...items];
  const words = randomWords(order.length, seed);
  for (let i = order.length - 1; i > 0; i--) {
    const j = words[i]! % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

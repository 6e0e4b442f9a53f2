// Sampling ids from logits on the GPU: nothing is read back, and a row's sample depends on that row alone.
import { matrixShape } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import { scope } from "../../memory/scope.ts";
import type { Tensor } from "../../tensor.ts";
import { aligned } from "../aligned.ts";
import { fill } from "../fill.ts";
import { bannedMask } from "../head/banned.ts";
import { blockStates, mergeStates } from "../head/block-states.ts";
import { inverseTemperature } from "../head/log-probs.ts";
import { adjustedLogits, type RepetitionPenalty, type TokenBias } from "./adjust.ts";
import { chooseIds, logProbsOf } from "./choose.ts";
import { thresholdsOf } from "./threshold.ts";

export interface SampleOptions {
  /** 0 takes the largest logit (of equal ones the lowest id). */
  readonly temperature: number;
  /** u32 [n, 2]: a seed a row (`deriveSeed`); or [n, 3], with what is added to `position` behind it. */
  readonly seeds: Tensor;
  /** Which number of each row's stream is used: the position of the token, say. */
  readonly position: number;
  /** Ids that cannot be chosen (`bannedMask`). */
  readonly banned?: Tensor;
  /** Keep the k likeliest ids, and what ties with the last. */
  readonly topK?: number;
  /** Then keep the likeliest whose renormalized probabilities first reach this sum, and what ties with the last; in (0, 1]. */
  readonly topP?: number;
  /** Applied before all of these, the penalty first. */
  readonly repetition?: RepetitionPenalty;
  readonly bias?: TokenBias;
}

export interface Sample {
  /** u32 [n]. 0xffffffff, which is no id, exactly where the log-prob is NaN. */
  readonly ids: Tensor;
  /**
   * f32 [n]: `log_softmax(logits / T)[id]` over the vocabulary without the banned ids (T = 1 where the temperature is 0). top-k, top-p, bias and
   * penalty do not enter it. The same bits as `logProbs` gives for the same logits. NaN where nothing can be chosen: a logit of
   * the row is NaN or infinity, or all are -infinity.
   */
  readonly logProbs: Tensor;
}

/**
 * Samples an id for each row of `logits` (f32 [n, vocabulary]). One uniform number of 24 bits decides: probabilities are true to about 1e-7.
 * Throws `shape`, `dtype` and `argument` for options that do not fit.
 */
export function sample(logits: Tensor, options: SampleOptions): Sample {
  check(logits, options);
  return scope(() => recordSample(logits.device, logits, options));
}

function recordSample(device: Device, given: Tensor, options: SampleOptions): Sample {
  const { temperature, position, repetition, bias, topK = 0, topP = 1 } = options;
  const [rows, vocabulary] = matrixShape(given);
  const logits = aligned(given, []); // sample's scope frees copies
  const seeds = aligned(options.seeds, []);
  const inverse = inverseTemperature(temperature);
  const greedy = temperature === 0;
  const banned = options.banned ?? bannedMask(device, vocabulary, []);
  const statesOf = (of: Tensor, thresholds?: Tensor) => {
    const slice = { logits: of, rows, columns: vocabulary, stride: vocabulary, firstColumn: 0 };
    const states = blockStates(device, slice, banned, inverse, thresholds);
    const totals = fill(device, [rows, 4], 0);
    mergeStates(device, totals, states, inverse);
    return { states, totals };
  };
  const plain = statesOf(logits);
  const adjusted = repetition || bias ? adjustedLogits(logits, repetition, bias) : logits;
  let softmax = adjusted === logits ? plain : statesOf(adjusted);
  let thresholds: Tensor | undefined;
  if (!greedy && (topK > 0 || topP < 1)) {
    thresholds = thresholdsOf(device, adjusted, banned, softmax.totals, { topK, topP }, inverse);
    softmax = statesOf(adjusted, thresholds);
  }
  thresholds ??= fill(device, [rows], 0, undefined, "u32");
  const ids = chooseIds(
    device,
    { logits: adjusted, banned, thresholds, ...softmax, plain: plain.totals },
    seeds,
    position,
    greedy,
    inverse,
  );
  return { ids, logProbs: logProbsOf(device, logits, plain.totals, ids, inverse) };
}

function check(logits: Tensor, options: SampleOptions): void {
  const { seeds, banned, topK = 0, topP = 1, repetition, bias, position } = options;
  const [rows, vocabulary = 0] = logits.shape;
  const expect = (what: string, tensor: Tensor, dtype: string, shape: readonly (number | undefined)[]) => {
    if (tensor.dtype !== dtype) throw new TensorError("dtype", `sample: ${what} is ${dtype}, not ${tensor}`);
    if (tensor.shape.length !== shape.length || shape.some((n, k) => n !== undefined && n !== tensor.shape[k]))
      throw new TensorError("shape", `sample: ${what} is [${shape.map((n) => n ?? "any").join(", ")}], not ${tensor}`);
  };
  expect("logits", logits, "f32", [undefined, undefined]);
  if (vocabulary === 0) throw new TensorError("shape", `sample: there is no id to choose in ${logits}`);
  expect("seeds", seeds, "u32", [rows, seeds.shape[1] === 3 ? 3 : 2]);
  if (banned) expect("banned", banned, "u32", [Math.ceil(vocabulary / 32)]);
  if (bias) expect("bias.ids", bias.ids, "u32", [undefined]);
  if (bias) expect("bias.values", bias.values, "f32", [bias.ids.size]);
  if (repetition) expect("repetition.ids", repetition.ids, "u32", [undefined, rows]);
  const refuse = (what: string, value: number): never => {
    throw new TensorError("argument", `sample: ${what} may not be ${value}`);
  };
  inverseTemperature(options.temperature);
  if (!Number.isInteger(topK) || topK < 0) refuse("topK", topK);
  if (!(topP > 0 && topP <= 1)) refuse("topP", topP);
  if (!Number.isInteger(position) || position < 0 || position >= 2 ** 32) refuse("position", position);
  if (repetition && !(repetition.factor > 0 && Number.isFinite(repetition.factor)))
    refuse("the repetition factor", repetition.factor);
}

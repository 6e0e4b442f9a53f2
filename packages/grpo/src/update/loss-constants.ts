// What a loss takes besides the log-probs on the tape: the constants of its tokens, on the CPU and uploaded.
import { type Device, RowIndex, type Tensor } from "@iapo/tensor-core";
import type { LossTensors } from "../losses/define.ts";
import { at, forEachRow, rowTokens } from "../math/batch.ts";

/** N sampled tokens of R responses. */
export interface LossConstants {
  /** [R + 1] */
  readonly offsets: Int32Array;
  /** [N] 1 where the token counts. */
  readonly mask: Uint8Array;
  /** [N] */
  readonly oldLogProbs: Float32Array;
  /** [N] */
  readonly advantages: Float64Array;
  /** [N] what a token's term weighs in the loss. */
  readonly tokenWeights: Float64Array;
  /** [N] */
  readonly importance?: Float64Array | undefined;
  /** [N] */
  readonly referenceLogProbs?: Float32Array | undefined;
}

/** The constants of responses `first` to `end - 1`: views of the same memory, but for the offsets. */
export function sliceResponses(constants: LossConstants, first: number, end: number): LossConstants {
  const { offsets, mask, oldLogProbs, advantages, tokenWeights, importance, referenceLogProbs } = constants;
  const [from, to] = [at(offsets, first), at(offsets, end)];
  return {
    offsets: offsets.subarray(first, end + 1).map((offset) => offset - from),
    mask: mask.subarray(from, to),
    oldLogProbs: oldLogProbs.subarray(from, to),
    advantages: advantages.subarray(from, to),
    tokenWeights: tokenWeights.subarray(from, to),
    importance: importance?.subarray(from, to),
    referenceLogProbs: referenceLogProbs?.subarray(from, to),
  };
}

/** Whether every number is finite: a step on others would destroy the policy. */
export function allConstantsFinite({ offsets: _, mask: __, ...constants }: LossConstants): boolean {
  return Object.values(constants).every((values) => values === undefined || values.every(Number.isFinite));
}

/** Uploads the constants of a loss. The caller's scope owns them. */
export function uploadConstants(
  device: Device,
  { offsets, mask, ...constants }: LossConstants,
): Omit<LossTensors, "logProb" | "entropy"> {
  const upload = (values: Float32Array | Float64Array): Tensor =>
    device.tensor(Float32Array.from(values), [mask.length]);
  const lengths = rowTokens(offsets, mask);
  const responses = new Int32Array(mask.length);
  const inverseLengths = new Float64Array(mask.length);
  forEachRow(offsets, (row, start, end) => {
    responses.fill(row, start, end);
    for (let token = start; token < end; token++) inverseLengths[token] = mask[token] === 1 ? 1 / at(lengths, row) : 0;
  });
  const { importance, referenceLogProbs } = constants;
  return {
    oldLogProbs: upload(constants.oldLogProbs),
    advantages: upload(constants.advantages),
    tokenWeights: upload(constants.tokenWeights),
    importance: importance && upload(importance),
    referenceLogProbs: referenceLogProbs && upload(referenceLogProbs),
    responses: RowIndex.of(device, responses, offsets.length - 1),
    inverseLengths: upload(inverseLengths),
  };
}

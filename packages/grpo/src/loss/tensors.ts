// What a loss on the GPU is computed from: the log-probs on the tape, and the constants of their tokens.
import { type Device, RowIndex, type Tensor } from "@iapo/tensor-core";
import type { Numbers } from "../math/index.ts";

/** N sampled tokens of R responses on the device. All but `logProb` and `entropy` are constants. */
export interface LossTensors {
  /** f32 [N], on the tape. */
  readonly logProb: Tensor;
  /** f32 [N], on the tape; nats. */
  readonly entropy: Tensor;
  /** f32 [N] under the policy before this step's first update. */
  readonly oldLogProbs: Tensor;
  /** f32 [N] */
  readonly advantages: Tensor;
  /** f32 [N] what a token's term weighs in the loss; 0 where it does not count. */
  readonly shares: Tensor;
  /** f32 [N] factor of the policy's terms besides: importance weights; undefined for ones. */
  readonly importance: Tensor | undefined;
  /** f32 [N] where KL is in the loss. */
  readonly referenceLogProbs: Tensor | undefined;
  /** [N] the response of each token. */
  readonly responses: RowIndex;
  /** f32 [N] 1 / number of tokens that count in the token's response, 0 where it does not count. */
  readonly inverseLengths: Tensor;
}

/** The same on the CPU. */
export interface LossConstants {
  /** [R + 1] */
  readonly offsets: Numbers;
  /** [N] 1 where the token counts. */
  readonly mask: Numbers;
  readonly oldLogProbs: Numbers;
  readonly advantages: Numbers;
  readonly shares: Numbers;
  readonly importance?: Numbers | undefined;
  readonly referenceLogProbs?: Numbers | undefined;
}

/** One number, differentiable by `logProb` and `entropy`, from tensor-core's ops. */
export type TensorLoss = (tensors: LossTensors) => Tensor;

/** Uploads the constants of a loss. The caller's scope owns them. */
export function uploadConstants(
  device: Device,
  { offsets, mask, ...constants }: LossConstants,
): Omit<LossTensors, "logProb" | "entropy"> {
  const upload = (values: Numbers): Tensor => device.tensor(Float32Array.from(values), [mask.length]);
  const responses = new Int32Array(mask.length);
  const inverseLengths = new Float32Array(mask.length);
  for (let row = 0; row + 1 < offsets.length; row++) {
    let length = 0;
    for (let token = offsets[row]!; token < offsets[row + 1]!; token++) {
      responses[token] = row;
      if (mask[token]! > 0) length++;
    }
    for (let token = offsets[row]!; token < offsets[row + 1]!; token++) {
      if (mask[token]! > 0) inverseLengths[token] = 1 / length;
    }
  }
  const { importance, referenceLogProbs } = constants;
  return {
    oldLogProbs: upload(constants.oldLogProbs),
    advantages: upload(constants.advantages),
    shares: upload(constants.shares),
    importance: importance && upload(importance),
    referenceLogProbs: referenceLogProbs && upload(referenceLogProbs),
    responses: RowIndex.of(device, responses, offsets.length - 1),
    inverseLengths: upload(inverseLengths),
  };
}

// A still image is two equal frames to the published model (temporal patch size 2). Their patch embedding is one product with the sum of the
// two frames' weights: half of the pixels to move, half of the work.
import { add, gatherRows, RowIndex, reshape, scope, type Tensor } from "@iapo/tensor-core";
import { rowsOf } from "../checked.ts";
import type { VisionConfig } from "../config/types.ts";

/** The weight `[E, channels, frames, patch, patch]` of whole patches, f32 or bf16, summed over frames in f32: `[E, channels * patch * patch]`. */
export function frameSum(weight: Tensor, config: VisionConfig): Tensor {
  const { hiddenSize, inChannels, temporalPatchSize, patchSize } = config;
  const area = patchSize * patchSize;
  return scope(() => {
    const rows = reshape(weight, [hiddenSize * inChannels * temporalPatchSize, area]);
    const frames = Array.from({ length: temporalPatchSize }, (_, frame) => {
      const ofFrame = Int32Array.from({ length: hiddenSize * inChannels }, (_, i) => i * temporalPatchSize + frame);
      return gatherRows(rows, RowIndex.of(weight.device, ofFrame, rowsOf(rows)));
    });
    return reshape(
      frames.reduce((sum, frame) => add(sum, frame)),
      [hiddenSize, inChannels * area],
    );
  });
}

// A still image is two equal frames to the published model (temporal patch size 2). Their patch embedding is one product with the sum of the
// two frames' weights: half of the pixels to move, half of the work.
import { gatherRows, RowIndex, reshape, scope, sum, type Tensor } from "@iapo/tensor-core";
import { rowsOf } from "../checked.ts";
import type { VisionConfig } from "../config/types.ts";

/** The weight `[E, channels, frames, patch, patch]` of whole patches, f32 or bf16, summed over frames in f32: `[E, channels * patch * patch]`. */
export function frameSum(weight: Tensor, config: VisionConfig): Tensor {
  const { hiddenSize, inChannels, temporalPatchSize, patchSize } = config;
  const area = patchSize * patchSize;
  return scope(() => {
    const rows = reshape(weight, [hiddenSize * inChannels * temporalPatchSize, area]);
    const widened = weight.dtype === "f32" ? rows : gatherRows(rows, everyRow(rows));
    const frames = sum(reshape(widened, [hiddenSize * inChannels, temporalPatchSize, area]), 1);
    return reshape(frames, [hiddenSize, inChannels * area]);
  });
}

function everyRow(rows: Tensor): RowIndex {
  const count = rowsOf(rows);
  return RowIndex.of(
    rows.device,
    Int32Array.from({ length: count }, (_, i) => i),
    count,
  );
}

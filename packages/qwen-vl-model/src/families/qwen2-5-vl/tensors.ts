// The tensors of Qwen2.5-VL's vision tower (docs/qwen2.5-vl.md "Tensors").
import { linearTensors as linear, type TensorSpec } from "../../config/types.ts";
import type { Qwen25VisionConfig } from "./config.ts";

export function visionTensors(vision: Qwen25VisionConfig): TensorSpec[] {
  const { hiddenSize: d, intermediateSize, patchSize: p, outHiddenSize } = vision;
  const cell = d * vision.spatialMergeSize ** 2;
  const tensors: TensorSpec[] = [
    { name: "visual.patch_embed.proj.weight", shape: [d, vision.inChannels, vision.temporalPatchSize, p, p] },
  ];
  for (let i = 0; i < vision.depth; i++) {
    const block = `visual.blocks.${i}`;
    tensors.push(
      { name: `${block}.norm1.weight`, shape: [d] },
      ...linear(`${block}.attn.qkv`, 3 * d, d, true),
      ...linear(`${block}.attn.proj`, d, d, true),
      { name: `${block}.norm2.weight`, shape: [d] },
      ...linear(`${block}.mlp.gate_proj`, intermediateSize, d, true),
      ...linear(`${block}.mlp.up_proj`, intermediateSize, d, true),
      ...linear(`${block}.mlp.down_proj`, d, intermediateSize, true),
    );
  }
  tensors.push(
    { name: "visual.merger.ln_q.weight", shape: [d] },
    ...linear("visual.merger.mlp.0", cell, cell, true),
    ...linear("visual.merger.mlp.2", outHiddenSize, cell, true),
  );
  return tensors;
}

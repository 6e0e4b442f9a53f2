// The tensors of Qwen3-VL's vision tower, and the names that its checkpoints have (docs/qwen3-vl.md "Tensors").
import { linearTensors as linear, type TensorSpec } from "../../config/types.ts";
import type { Qwen3VisionConfig } from "./config.ts";

export function visionTensors(vision: Qwen3VisionConfig): TensorSpec[] {
  const { hiddenSize: d, intermediateSize, patchSize: p, outHiddenSize } = vision;
  const cell = d * vision.spatialMergeSize ** 2;
  const merger = (name: string, normed: number): TensorSpec[] => [
    ...layerNorm(`${name}.norm`, normed),
    ...linear(`${name}.linear_fc1`, cell, cell, true),
    ...linear(`${name}.linear_fc2`, outHiddenSize, cell, true),
  ];
  const block = (name: string): TensorSpec[] => [
    ...layerNorm(`${name}.norm1`, d),
    ...linear(`${name}.attn.qkv`, 3 * d, d, true),
    ...linear(`${name}.attn.proj`, d, d, true),
    ...layerNorm(`${name}.norm2`, d),
    ...linear(`${name}.mlp.linear_fc1`, intermediateSize, d, true),
    ...linear(`${name}.mlp.linear_fc2`, d, intermediateSize, true),
  ];
  return [
    { name: "visual.patch_embed.proj.weight", shape: [d, vision.inChannels, vision.temporalPatchSize, p, p] },
    { name: "visual.patch_embed.proj.bias", shape: [d] },
    { name: "visual.pos_embed.weight", shape: [vision.positionSide ** 2, d] },
    ...Array.from({ length: vision.depth }, (_, i) => block(`visual.blocks.${i}`)).flat(),
    ...merger("visual.merger", d),
    ...vision.deepstackBlocks.flatMap((_, k) => merger(`visual.deepstack_merger_list.${k}`, cell)),
  ];
}

function layerNorm(name: string, size: number): TensorSpec[] {
  return [
    { name: `${name}.weight`, shape: [size] },
    { name: `${name}.bias`, shape: [size] },
  ];
}

/** `visual.` and the decoder stand under `model.`; the head does not. */
export function checkpointName(name: string): string {
  return name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.");
}

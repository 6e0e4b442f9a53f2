// Configurations of Qwen2.5-VL (docs/qwen2.5-vl.md "Configurations"): flat (the published checkpoints), nested with duplicates (transformers 4.5x),
// nested with `rope_parameters` (transformers 5).
import { z } from "zod";
import type { JsonObject } from "../../config/json-file.ts";
import { validate } from "../../config/json-file.ts";
import {
  configFault,
  modelConfig,
  sizeSchema as size,
  type TextVariant,
  visionHeadSize,
  writtenTokens,
} from "../../config/text-config.ts";
import type { QwenVLConfig, VisionConfig } from "../../config/types.ts";

export const MODEL_TYPE = "qwen2_5_vl";

export interface Qwen25VisionConfig extends VisionConfig {
  /** Pixels along one side of an attention window. */
  readonly windowSize: number;
  /** Ascending; every other block attends within windows. */
  readonly fullAttentionBlocks: readonly number[];
}

export type Qwen25Config = QwenVLConfig<Qwen25VisionConfig>;

const text: TextVariant = {
  attentionBias: true,
  qkNorm: false,
  mropeInterleaved: false,
  mropeSection: [16, 24, 24],
  tie: "either",
};

/** Absent fields take the defaults of the published implementation, which leaves them out when it saves. */
const visionSchema = z.object({
  depth: z.int().min(1).max(1024).default(32),
  hidden_size: size.default(3584),
  num_heads: size.default(16),
  intermediate_size: size.default(3420),
  out_hidden_size: size.default(3584),
  patch_size: size.default(14),
  temporal_patch_size: z.literal(2, { error: "only 2 is supported" }).default(2),
  spatial_merge_size: size.default(2),
  window_size: size.default(112),
  fullatt_block_indexes: z.array(z.int().min(0)).max(1024).default([7, 15, 23, 31]),
  in_chans: z.literal(3, { error: "only 3 is supported" }).default(3),
  in_channels: z.literal(3, { error: "only 3 is supported" }).default(3),
  hidden_act: z.literal("silu", { error: 'only "silu" is supported' }).default("silu"),
  rope_parameters: z.object({ rope_theta: z.number().positive().nullish() }).optional(),
});

/** @throws QwenVLError `config` */
export function parseConfig(json: JsonObject, file = "config.json"): Qwen25Config {
  return modelConfig(json, file, MODEL_TYPE, text, visionConfig);
}

function visionConfig(json: unknown, file: string): Qwen25VisionConfig {
  const raw = validate(visionSchema, json, file, "vision_config");
  const headDim = visionHeadSize(raw, file);
  const cell = raw.patch_size * raw.spatial_merge_size;
  if (raw.window_size % cell !== 0) {
    const message = `${raw.window_size} is not a multiple of patch_size * spatial_merge_size = ${cell}`;
    throw configFault(file, "vision_config.window_size", message);
  }
  return {
    depth: raw.depth,
    hiddenSize: raw.hidden_size,
    numHeads: raw.num_heads,
    headDim,
    intermediateSize: raw.intermediate_size,
    outHiddenSize: raw.out_hidden_size,
    patchSize: raw.patch_size,
    temporalPatchSize: raw.temporal_patch_size,
    spatialMergeSize: raw.spatial_merge_size,
    windowSize: raw.window_size,
    // Indexes past the last block select nothing, as in the published implementation.
    fullAttentionBlocks: [...new Set(raw.fullatt_block_indexes)].filter((i) => i < raw.depth).sort((a, b) => a - b),
    inChannels: raw.in_chans,
    ropeTheta: raw.rope_parameters?.rope_theta ?? 10_000,
    normEps: 1e-6,
    deepstackBlocks: [],
  };
}

/** The flat shape. */
export function writeConfig({ text, vision, tokens, dtype }: Qwen25Config): Record<string, unknown> {
  return {
    architectures: ["Qwen2_5_VLForConditionalGeneration"],
    model_type: MODEL_TYPE,
    torch_dtype: dtype,
    hidden_size: text.hiddenSize,
    num_hidden_layers: text.numHiddenLayers,
    num_attention_heads: text.numAttentionHeads,
    num_key_value_heads: text.numKeyValueHeads,
    intermediate_size: text.intermediateSize,
    vocab_size: text.vocabSize,
    rms_norm_eps: text.rmsNormEps,
    rope_theta: text.ropeTheta,
    rope_scaling: { type: "mrope", mrope_section: text.mropeSection },
    max_position_embeddings: text.maxPositionEmbeddings,
    tie_word_embeddings: text.tieWordEmbeddings,
    hidden_act: "silu",
    use_sliding_window: false,
    ...writtenTokens(tokens),
    vision_config: {
      model_type: MODEL_TYPE,
      depth: vision.depth,
      hidden_size: vision.hiddenSize,
      num_heads: vision.numHeads,
      intermediate_size: vision.intermediateSize,
      out_hidden_size: vision.outHiddenSize,
      patch_size: vision.patchSize,
      temporal_patch_size: vision.temporalPatchSize,
      spatial_merge_size: vision.spatialMergeSize,
      window_size: vision.windowSize,
      fullatt_block_indexes: vision.fullAttentionBlocks,
      in_chans: vision.inChannels,
      hidden_act: "silu",
    },
  };
}

// Configurations of Qwen3-VL (docs/qwen3-vl.md "Configurations"): always nested, with `rope_scaling` (as published) or `rope_parameters` (transformers 5).
import { z } from "zod";
import { isObject, type JsonObject, validate } from "../../config/json-file.ts";
import {
  configFault,
  modelConfig,
  sizeSchema as size,
  type TextVariant,
  visionHeadSize,
  writtenTokens,
} from "../../config/text-config.ts";
import type { QwenVLConfig, VisionConfig } from "../../config/types.ts";

export const MODEL_TYPE = "qwen3_vl";

export interface Qwen3VisionConfig extends VisionConfig {
  /** Rows and columns of the table of learned positions, which is interpolated to the grid of an image. */
  readonly positionSide: number;
}

export type Qwen3Config = QwenVLConfig<Qwen3VisionConfig>;

const text: TextVariant = {
  attentionBias: false,
  qkNorm: true,
  mropeInterleaved: true,
  mropeSection: [24, 20, 20],
  headDim: 128,
  tie: "root",
};

const textSchema = z.object({
  attention_bias: z.literal(false, { error: "only false is supported" }).default(false),
});

/** Absent fields take the defaults of the published implementation, which leaves them out when it saves. */
const visionSchema = z.object({
  depth: z.int().min(1).max(1024).default(27),
  hidden_size: size.default(1152),
  num_heads: size.default(16),
  intermediate_size: size.default(4304),
  out_hidden_size: size.default(3584),
  patch_size: size.default(16),
  temporal_patch_size: z.literal(2, { error: "only 2 is supported" }).default(2),
  spatial_merge_size: size.default(2),
  in_channels: z.literal(3, { error: "only 3 is supported" }).default(3),
  num_position_embeddings: size.default(2304),
  deepstack_visual_indexes: z.array(z.int().min(0)).max(1024).default([8, 16, 24]),
  hidden_act: z
    .literal("gelu_pytorch_tanh", { error: 'only "gelu_pytorch_tanh" is supported' })
    .default("gelu_pytorch_tanh"),
  rope_parameters: z.object({ rope_theta: z.number().positive().nullish() }).optional(),
});

/** @throws QwenVLError `config` */
export function parseConfig(json: JsonObject, file = "config.json"): Qwen3Config {
  if (!isObject(json.text_config)) throw configFault(file, "text_config", "expected an object: Qwen3-VL has it always");
  validate(textSchema, json.text_config, file, "text_config");
  const config = modelConfig(json, file, MODEL_TYPE, text, visionConfig);
  const { length } = config.vision.deepstackBlocks;
  if (length > config.text.numHiddenLayers) {
    const message = `${length} features for ${config.text.numHiddenLayers} layers`;
    throw configFault(file, "vision_config.deepstack_visual_indexes", message);
  }
  return config;
}

function visionConfig(json: unknown, file: string): Qwen3VisionConfig {
  const raw = validate(visionSchema, json, file, "vision_config");
  const headDim = visionHeadSize(raw, file);
  const positionSide = Math.sqrt(raw.num_position_embeddings);
  if (!Number.isInteger(positionSide)) {
    const message = `${raw.num_position_embeddings} is no square number`;
    throw configFault(file, "vision_config.num_position_embeddings", message);
  }
  const blocks = raw.deepstack_visual_indexes;
  if (blocks.some((block, i) => block >= raw.depth || block <= (blocks[i - 1] ?? -1))) {
    const message = `[${blocks}] are not blocks of ${raw.depth}, ascending: their mergers would never run`;
    throw configFault(file, "vision_config.deepstack_visual_indexes", message);
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
    positionSide,
    inChannels: raw.in_channels,
    ropeTheta: raw.rope_parameters?.rope_theta ?? 10_000,
    normEps: 1e-6,
    deepstackBlocks: blocks,
  };
}

/** The published shape. */
export function writeConfig({ text, vision, tokens, dtype }: Qwen3Config): Record<string, unknown> {
  const { bos_token_id, eos_token_id, pad_token_id, ...ids } = writtenTokens(tokens);
  return {
    architectures: ["Qwen3VLForConditionalGeneration"],
    model_type: MODEL_TYPE,
    dtype,
    tie_word_embeddings: text.tieWordEmbeddings,
    ...ids,
    text_config: {
      model_type: `${MODEL_TYPE}_text`,
      dtype,
      hidden_size: text.hiddenSize,
      num_hidden_layers: text.numHiddenLayers,
      num_attention_heads: text.numAttentionHeads,
      num_key_value_heads: text.numKeyValueHeads,
      head_dim: text.headDim,
      intermediate_size: text.intermediateSize,
      vocab_size: text.vocabSize,
      rms_norm_eps: text.rmsNormEps,
      rope_theta: text.ropeTheta,
      rope_scaling: { rope_type: "default", mrope_interleaved: true, mrope_section: text.mropeSection },
      max_position_embeddings: text.maxPositionEmbeddings,
      tie_word_embeddings: text.tieWordEmbeddings,
      attention_bias: false,
      hidden_act: "silu",
      ...(bos_token_id !== undefined && { bos_token_id }),
      ...(eos_token_id !== undefined && { eos_token_id }),
      ...(pad_token_id !== undefined && { pad_token_id }),
    },
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
      num_position_embeddings: vision.positionSide ** 2,
      deepstack_visual_indexes: vision.deepstackBlocks,
      in_channels: vision.inChannels,
      hidden_act: "gelu_pytorch_tanh",
    },
  };
}

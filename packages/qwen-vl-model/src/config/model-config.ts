// `config.json` in all the shapes it is found in: flat (the published checkpoints), nested with duplicates (transformers 4.5x), nested
// with `rope_parameters` (transformers 5). One strict record comes out. What a nested `text_config` says wins over the root.
import { z } from "zod";
import { QwenVLError } from "../error.ts";
import { isObject, type JsonObject, readJsonFile, validate } from "./json-file.ts";

/** The text decoder; names as in Hugging Face's configuration. */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** `hiddenSize / numAttentionHeads`. */
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** How many rope frequencies turn with the time, height and width position; they add up to `headDim / 2`. */
  readonly mropeSection: readonly [number, number, number];
  readonly maxPositionEmbeddings: number;
  /** The head is the embedding table; there is no `lm_head.weight`. */
  readonly tieWordEmbeddings: boolean;
}

/** The vision tower. */
export interface VisionConfig {
  readonly depth: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  /** `hiddenSize / numHeads`, a multiple of 4. */
  readonly headDim: number;
  readonly intermediateSize: number;
  /** Width of a merged row; equals the text decoder's `hiddenSize`. */
  readonly outHiddenSize: number;
  /** Pixels along one side of a patch. */
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  /** Patches along one side of a merged cell. */
  readonly spatialMergeSize: number;
  /** Pixels along one side of an attention window. */
  readonly windowSize: number;
  /** Ascending; every other block attends within windows. */
  readonly fullAttentionBlocks: readonly number[];
  readonly inChannels: number;
  readonly ropeTheta: number;
  /** Hard coded in every published implementation. */
  readonly rmsNormEps: number;
}

export interface SpecialTokens {
  readonly image: number;
  readonly video: number;
  readonly visionStart: number;
  readonly visionEnd: number;
  readonly bos: number | undefined;
  readonly eos: readonly number[];
  readonly pad: number | undefined;
}

export interface QwenVLConfig {
  readonly text: TextConfig;
  readonly vision: VisionConfig;
  readonly tokens: SpecialTokens;
  /** The dtype that the file announces, else bfloat16; the tensors themselves decide. */
  readonly dtype: "bfloat16" | "float32" | "float16";
}

const size = z
  .int()
  .min(1)
  .max(2 ** 20);
const tokenId = z
  .int()
  .min(0)
  .max(2 ** 24);
const tokensSchema = z.object({
  bos_token_id: z.int().optional(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).optional(),
  pad_token_id: z.int().optional(),
});
const silu = z.literal("silu", { error: 'only "silu" is supported' });

const textSchema = z.object({
  hidden_size: size,
  num_hidden_layers: z.int().min(1).max(1024),
  num_attention_heads: size,
  num_key_value_heads: size,
  head_dim: size.optional(),
  intermediate_size: size,
  vocab_size: z
    .int()
    .min(1)
    .max(2 ** 24),
  rms_norm_eps: z.number().positive().max(1),
  max_position_embeddings: z
    .int()
    .min(1)
    .max(2 ** 31),
  hidden_act: silu.default("silu"),
  use_sliding_window: z.literal(false, { error: "sliding-window attention is not supported" }).default(false),
  layer_types: z.array(z.literal("full_attention", { error: 'only "full_attention" is supported' })).optional(),
});
type TextField = keyof typeof textSchema.shape;

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
  hidden_act: silu.default("silu"),
  rope_parameters: z.object({ rope_theta: z.number().positive().nullish() }).optional(),
});

const ropeType = z.enum(["mrope", "default"], { error: 'only "mrope" and "default" are supported' }).nullish();
const ropeSchema = z.object({
  type: ropeType,
  rope_type: ropeType,
  rope_theta: z.number().positive().nullish(),
  mrope_section: z.tuple([size, size, size]).nullish(),
});

const rootSchema = z.object({
  model_type: z.literal("qwen2_5_vl", { error: 'only "qwen2_5_vl" is supported' }),
  image_token_id: tokenId.default(151655),
  video_token_id: tokenId.default(151656),
  vision_start_token_id: tokenId.default(151652),
  vision_end_token_id: tokenId.default(151653),
  quantization_config: z.never({ error: "quantized checkpoints are not supported" }).optional(),
});

/** Also as PyTorch prints it, `torch.bfloat16`; "auto" says as little as nothing. */
const dtypeSchema = z
  .preprocess(
    (value) => (value === "auto" ? undefined : typeof value === "string" ? value.replace(/^torch\./, "") : value),
    z.enum(["bfloat16", "float32", "float16"]).optional(),
  )
  .transform((dtype) => dtype ?? "bfloat16");

/**
 * Reads `config.json` of a checkpoint directory.
 * @throws QwenVLError `config` or `io`.
 */
export async function loadConfig(directory: string): Promise<QwenVLConfig> {
  const file = `${directory}/config.json`;
  const json = await readJsonFile(file);
  if (json === undefined) throw new QwenVLError("config", `${file}: there is no such file`);
  return parseConfig(json, file);
}

/**
 * A configuration from parsed JSON.
 * @param file named in errors
 * @throws QwenVLError `config`, naming file and field.
 */
export function parseConfig(json: unknown, file = "config.json"): QwenVLConfig {
  if (!isObject(json)) throw new QwenVLError("config", `${file}: not a JSON object`);
  const top = withoutNulls(json);
  const root = validate(rootSchema, top, file);
  const nested = top.text_config;
  if (nested !== undefined && !isObject(nested)) throw fault(file, "text_config", "not an object");
  const own = withoutNulls(nested ?? {});
  const source = nested === undefined ? top : completed(own, top);
  const text = textConfig(source, top, nested === undefined ? "" : "text_config", file);
  const vision = visionConfig(top.vision_config ?? {}, file);
  if (vision.outHiddenSize !== text.hiddenSize) {
    throw fault(
      file,
      "vision_config.out_hidden_size",
      `${vision.outHiddenSize} is not the hidden_size ${text.hiddenSize}`,
    );
  }
  // Trainers align the special tokens at the root alone, so that the root's win.
  const { bos_token_id, eos_token_id, pad_token_id } = validate(tokensSchema, { ...own, ...top }, file);
  const known = (id: number | undefined): number | undefined =>
    id !== undefined && id >= 0 && id < text.vocabSize ? id : undefined;
  const tokens = {
    image: root.image_token_id,
    video: root.video_token_id,
    visionStart: root.vision_start_token_id,
    visionEnd: root.vision_end_token_id,
    bos: known(bos_token_id), // nothing here depends on these two: -1 and ids of another vocabulary are common
    eos: [eos_token_id ?? []].flat(),
    pad: known(pad_token_id),
  };
  checkTokens(tokens, text.vocabSize, file);
  const dtype = validate(dtypeSchema, top.dtype ?? top.torch_dtype ?? own.dtype ?? own.torch_dtype, file, "dtype");
  return { text, vision, tokens, dtype };
}

/** A null stands for an absent field everywhere. */
function withoutNulls(json: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
}

/**
 * `text_config`, which alone shapes the decoder: the root's duplicates may be stale or filled in with defaults. They only complete what it leaves out
 * and no decoder can do without.
 */
function completed(nested: JsonObject, root: JsonObject): JsonObject {
  const needed = Object.keys(textSchema.shape).filter(
    (key) => !textSchema.shape[key as TextField].safeParse(undefined).success,
  );
  const ropeKeys = ["rope_parameters", "rope_scaling", "rope_theta"].filter((key) => key in root);
  const ropes = ropeKeys.some((key) => key !== "rope_theta" && key in nested) ? ["rope_theta"] : ropeKeys;
  const missing = [...needed, ...ropes].filter((key) => !(key in nested) && key in root);
  return { ...nested, ...Object.fromEntries(missing.map((key) => [key, root[key]])) };
}

function textConfig(source: JsonObject, root: JsonObject, path: string, file: string): TextConfig {
  const raw = validate(textSchema, source, file, path);
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const headDim = raw.hidden_size / raw.num_attention_heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw fault(
      file,
      at("num_attention_heads"),
      `${raw.hidden_size} / ${raw.num_attention_heads} is no even head size`,
    );
  }
  if ((raw.head_dim ?? headDim) !== headDim) {
    throw fault(file, at("head_dim"), `${raw.head_dim} is not hidden_size / num_attention_heads = ${headDim}`);
  }
  if (raw.num_attention_heads % raw.num_key_value_heads !== 0) {
    const heads = `${raw.num_attention_heads} heads cannot share ${raw.num_key_value_heads}`;
    throw fault(file, at("num_key_value_heads"), heads);
  }
  const ropeKey = source.rope_parameters === undefined ? "rope_scaling" : "rope_parameters";
  const rope = validate(ropeSchema.nullish(), source[ropeKey], file, at(ropeKey));
  const ropeTheta = validate(z.number().positive(), rope?.rope_theta ?? source.rope_theta, file, at("rope_theta"));
  const section = rope?.mrope_section ?? [16, 24, 24];
  if (section[0] + section[1] + section[2] !== headDim / 2) {
    throw fault(file, at(`${ropeKey}.mrope_section`), `[${section}] does not add up to half a head, ${headDim / 2}`);
  }
  const tied = z.boolean().default(false);
  return {
    hiddenSize: raw.hidden_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: raw.num_attention_heads,
    numKeyValueHeads: raw.num_key_value_heads,
    headDim,
    intermediateSize: raw.intermediate_size,
    vocabSize: raw.vocab_size,
    rmsNormEps: raw.rms_norm_eps,
    ropeTheta,
    mropeSection: section,
    maxPositionEmbeddings: raw.max_position_embeddings,
    tieWordEmbeddings:
      validate(tied, root.tie_word_embeddings, file, "tie_word_embeddings") ||
      validate(tied, source.tie_word_embeddings, file, at("tie_word_embeddings")),
  };
}

function visionConfig(json: unknown, file: string): VisionConfig {
  const raw = validate(visionSchema, isObject(json) ? withoutNulls(json) : json, file, "vision_config");
  const headDim = raw.hidden_size / raw.num_heads;
  if (!Number.isInteger(headDim) || headDim % 4 !== 0) {
    throw fault(
      file,
      "vision_config.num_heads",
      `${raw.hidden_size} / ${raw.num_heads} is no head size that 4 divides`,
    );
  }
  const cell = raw.patch_size * raw.spatial_merge_size;
  if (raw.window_size % cell !== 0) {
    throw fault(
      file,
      "vision_config.window_size",
      `${raw.window_size} is not a multiple of patch_size * spatial_merge_size = ${cell}`,
    );
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
    rmsNormEps: 1e-6,
  };
}

function checkTokens(tokens: SpecialTokens, vocabSize: number, file: string): void {
  const { image, video, visionStart, visionEnd, eos } = tokens;
  const ids = { image, video, vision_start: visionStart, vision_end: visionEnd };
  for (const [name, id] of [...Object.entries(ids), ...eos.map((id) => ["eos", id] as const)]) {
    if (id >= vocabSize) throw fault(file, `${name}_token_id`, `${id} is not below vocab_size ${vocabSize}`);
  }
  if (new Set([image, video, visionStart, visionEnd]).size !== 4) {
    throw fault(file, "image_token_id", "image, video, vision_start and vision_end must be four different tokens");
  }
}

function fault(file: string, field: string, message: string): QwenVLError {
  return new QwenVLError("config", `${file}: ${field}: ${message}`);
}

/** The content of a `config.json` that this package and Hugging Face's loaders of every version read: the flat shape. */
export function writeConfig(config: QwenVLConfig): Record<string, unknown> {
  const { text, vision, tokens } = config;
  return {
    architectures: ["Qwen2_5_VLForConditionalGeneration"],
    model_type: "qwen2_5_vl",
    torch_dtype: config.dtype,
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
    image_token_id: tokens.image,
    video_token_id: tokens.video,
    vision_start_token_id: tokens.visionStart,
    vision_end_token_id: tokens.visionEnd,
    ...(tokens.bos !== undefined && { bos_token_id: tokens.bos }),
    ...(tokens.eos.length > 0 && { eos_token_id: tokens.eos.length === 1 ? tokens.eos[0] : tokens.eos }),
    ...(tokens.pad !== undefined && { pad_token_id: tokens.pad }),
    vision_config: {
      model_type: "qwen2_5_vl",
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

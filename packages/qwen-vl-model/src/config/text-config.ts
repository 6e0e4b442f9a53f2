// The text decoder and the special tokens of a `config.json`, as the families share them.
import { z } from "zod";
import { QwenVLError } from "../error.ts";
import { isObject, type JsonObject, validate, withoutNulls } from "./json-file.ts";
import type { QwenVLConfig, SpecialTokens, TextConfig, VisionConfig } from "./types.ts";

/** What a family fixes about its decoder. */
export interface TextVariant extends Pick<TextConfig, "attentionBias" | "qkNorm" | "mropeInterleaved"> {
  /** Where the file names none. */
  readonly mropeSection: TextConfig["mropeSection"];
  /** Where the file names none; undefined: `hidden_size / num_attention_heads`, whatever the file says. */
  readonly headDim?: number;
  /** Whose `tie_word_embeddings` counts: that of either object, or that of the root where it has one. */
  readonly tie: "either" | "root";
}

export const sizeSchema: z.ZodInt = z
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
const size = sizeSchema;

const notQuantized = z.never({ error: "quantized checkpoints are not supported" }).optional();

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
  hidden_act: z.literal("silu", { error: 'only "silu" is supported' }).default("silu"),
  use_sliding_window: z.literal(false, { error: "sliding-window attention is not supported" }).default(false),
  partial_rotary_factor: z.literal(1, { error: "only 1 is supported" }).optional(),
  quantization_config: notQuantized,
  layer_types: z.array(z.literal("full_attention", { error: 'only "full_attention" is supported' })).optional(),
});
type TextField = keyof typeof textSchema.shape;

/** A field of other models' ropes, which must leave this one as it is. */
const plain = z.literal(1, { error: "only 1 is supported" }).nullish();
const ropeType = z.enum(["mrope", "default"], { error: 'only "mrope" and "default" are supported' }).nullish();
const ropeSchema = z.object({
  type: ropeType,
  rope_type: ropeType,
  rope_theta: z.number().positive().nullish(),
  mrope_section: z.tuple([size, size, size]).nullish(),
  mrope_interleaved: z.boolean().nullish(),
  factor: plain,
  attention_factor: plain,
  partial_rotary_factor: plain,
});

const rootSchema = z.object({
  image_token_id: tokenId.default(151655),
  video_token_id: tokenId.default(151656),
  vision_start_token_id: tokenId.default(151652),
  vision_end_token_id: tokenId.default(151653),
  quantization_config: notQuantized,
  compression_config: notQuantized,
});

/** Also as PyTorch prints it, `torch.bfloat16`; "auto" says as little as nothing. */
const dtypeSchema = z
  .preprocess(
    (value) => (value === "auto" ? undefined : typeof value === "string" ? value.replace(/^torch\./, "") : value),
    z.enum(["bfloat16", "float32", "float16"]).optional(),
  )
  .transform((dtype) => dtype ?? "bfloat16");

export function configFault(file: string, field: string, message: string): QwenVLError {
  return new QwenVLError("config", `${file}: ${field}: ${message}`);
}

/**
 * The whole record. What a nested `text_config` says of the decoder wins over the root.
 * @param top of `file`, nulls removed
 * @param visionConfig reads `vision_config`
 * @throws QwenVLError `config`, naming file and field.
 */
export function modelConfig<Vision extends VisionConfig>(
  top: JsonObject,
  file: string,
  modelType: string,
  variant: TextVariant,
  visionConfig: (json: unknown, file: string) => Vision,
): QwenVLConfig<Vision> {
  const root = validate(rootSchema, top, file);
  const nested = top.text_config;
  if (nested !== undefined && !isObject(nested)) throw configFault(file, "text_config", "not an object");
  const own = withoutNulls(nested ?? {});
  const source = nested === undefined ? top : completed(own, top);
  const text = textConfig(source, top, nested === undefined ? "" : "text_config", file, variant);
  const vision = visionConfig(withoutNulls(top.vision_config ?? {}), file);
  if (vision.outHiddenSize !== text.hiddenSize) {
    const message = `${vision.outHiddenSize} is not the hidden_size ${text.hiddenSize}`;
    throw configFault(file, "vision_config.out_hidden_size", message);
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
  return { modelType, text, vision, tokens, dtype };
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

function textConfig(
  source: JsonObject,
  root: JsonObject,
  path: string,
  file: string,
  variant: TextVariant,
): TextConfig {
  const raw = validate(textSchema, source, file, path);
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const headDim = headSize(raw, variant, file, at);
  if (raw.num_attention_heads % raw.num_key_value_heads !== 0) {
    const heads = `${raw.num_attention_heads} heads cannot share ${raw.num_key_value_heads}`;
    throw configFault(file, at("num_key_value_heads"), heads);
  }
  const ropeKey = source.rope_parameters === undefined ? "rope_scaling" : "rope_parameters";
  const rope = validate(ropeSchema.nullish(), source[ropeKey], file, at(ropeKey));
  const ropeTheta = validate(z.number().positive(), rope?.rope_theta ?? source.rope_theta, file, at("rope_theta"));
  const { attentionBias, qkNorm, mropeInterleaved } = variant;
  if ((rope?.mrope_interleaved ?? mropeInterleaved) !== mropeInterleaved) {
    throw configFault(file, at(`${ropeKey}.mrope_interleaved`), `only ${mropeInterleaved} is supported`);
  }
  const section = rope?.mrope_section ?? variant.mropeSection;
  const [, height, width] = section;
  if (section[0] + height + width !== headDim / 2) {
    const message = `[${section}] does not add up to half a head, ${headDim / 2}`;
    throw configFault(file, at(`${ropeKey}.mrope_section`), message);
  }
  if (mropeInterleaved && Math.max(3 * height - 2, 3 * width - 1) >= headDim / 2) {
    const message = `[${section}]: every third frequency is height's or width's, and half a head has only ${headDim / 2}`;
    throw configFault(file, at(`${ropeKey}.mrope_section`), message);
  }
  const tied = (json: JsonObject, field: string) =>
    validate(z.boolean().optional(), json.tie_word_embeddings, file, field);
  const ties = [tied(root, "tie_word_embeddings"), tied(source, at("tie_word_embeddings"))] as const;
  return {
    hiddenSize: raw.hidden_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: raw.num_attention_heads,
    numKeyValueHeads: raw.num_key_value_heads,
    headDim,
    intermediateSize: raw.intermediate_size,
    vocabSize: raw.vocab_size,
    rmsNormEps: raw.rms_norm_eps,
    ...{ attentionBias, qkNorm, ropeTheta, mropeSection: section, mropeInterleaved },
    maxPositionEmbeddings: raw.max_position_embeddings,
    tieWordEmbeddings: variant.tie === "either" ? ties.includes(true) : (ties[0] ?? ties[1] ?? false),
  };
}

function headSize(
  raw: z.infer<typeof textSchema>,
  variant: TextVariant,
  file: string,
  at: (key: string) => string,
): number {
  if (variant.headDim !== undefined) {
    const headDim = raw.head_dim ?? variant.headDim;
    if (headDim % 2 !== 0) throw configFault(file, at("head_dim"), `${headDim} is not even`);
    return headDim;
  }
  const headDim = raw.hidden_size / raw.num_attention_heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    const message = `${raw.hidden_size} / ${raw.num_attention_heads} is no even head size`;
    throw configFault(file, at("num_attention_heads"), message);
  }
  if ((raw.head_dim ?? headDim) !== headDim) {
    const message = `${raw.head_dim} is not hidden_size / num_attention_heads = ${headDim}`;
    throw configFault(file, at("head_dim"), message);
  }
  return headDim;
}

/** `hidden_size / num_heads` of a vision tower, whose rotary table has a quarter of it for each axis. @throws QwenVLError `config` */
export function visionHeadSize(
  { hidden_size, num_heads }: { readonly hidden_size: number; readonly num_heads: number },
  file: string,
): number {
  const headDim = hidden_size / num_heads;
  if (Number.isInteger(headDim) && headDim % 4 === 0) return headDim;
  const message = `${hidden_size} / ${num_heads} is no head size that 4 divides`;
  throw configFault(file, "vision_config.num_heads", message);
}

function checkTokens(tokens: SpecialTokens, vocabSize: number, file: string): void {
  const { image, video, visionStart, visionEnd, eos } = tokens;
  const ids = { image, video, vision_start: visionStart, vision_end: visionEnd };
  for (const [name, id] of [...Object.entries(ids), ...eos.map((id) => ["eos", id] as const)]) {
    if (id >= vocabSize) throw configFault(file, `${name}_token_id`, `${id} is not below vocab_size ${vocabSize}`);
  }
  if (new Set([image, video, visionStart, visionEnd]).size !== 4) {
    const message = "image, video, vision_start and vision_end must be four different tokens";
    throw configFault(file, "image_token_id", message);
  }
}

/** The special tokens as a `config.json` has them. */
export function writtenTokens({ image, video, visionStart, visionEnd, bos, eos, pad }: SpecialTokens) {
  return {
    image_token_id: image,
    video_token_id: video,
    vision_start_token_id: visionStart,
    vision_end_token_id: visionEnd,
    ...(bos !== undefined && { bos_token_id: bos }),
    ...(eos.length > 0 && { eos_token_id: eos.length === 1 ? eos[0] : eos }),
    ...(pad !== undefined && { pad_token_id: pad }),
  };
}

// Every tensor of a checkpoint, from its configuration, and the check of a checkpoint against that list.
import type { TensorInfo } from "@iapo/tensor-core/safetensors";
import { QwenVLError } from "../error.ts";
import { familyOf } from "../families/registry.ts";
import { linearTensors as linear, type QwenVLConfig, type TensorSpec, type TextConfig } from "./types.ts";

/** All tensors in the order in which the forward pass meets them. */
export function tensorTable(config: QwenVLConfig): TensorSpec[] {
  return [...familyOf(config).visionTensors(config.vision), ...textTensors(config.text)];
}

function textTensors(text: TextConfig): TensorSpec[] {
  const { hiddenSize: h, intermediateSize, vocabSize, headDim, attentionBias, qkNorm } = text;
  const q = text.numAttentionHeads * headDim;
  const kv = text.numKeyValueHeads * headDim;
  const tensors: TensorSpec[] = [{ name: "model.embed_tokens.weight", shape: [vocabSize, h] }];
  for (let i = 0; i < text.numHiddenLayers; i++) {
    const layer = `model.layers.${i}`;
    tensors.push(
      { name: `${layer}.input_layernorm.weight`, shape: [h] },
      ...linear(`${layer}.self_attn.q_proj`, q, h, attentionBias),
      ...linear(`${layer}.self_attn.k_proj`, kv, h, attentionBias),
      ...linear(`${layer}.self_attn.v_proj`, kv, h, attentionBias),
      ...(qkNorm ? ["q_norm", "k_norm"] : []).map((norm): TensorSpec => {
        return { name: `${layer}.self_attn.${norm}.weight`, shape: [headDim] };
      }),
      ...linear(`${layer}.self_attn.o_proj`, h, q, false),
      { name: `${layer}.post_attention_layernorm.weight`, shape: [h] },
      ...linear(`${layer}.mlp.gate_proj`, intermediateSize, h, false),
      ...linear(`${layer}.mlp.up_proj`, intermediateSize, h, false),
      ...linear(`${layer}.mlp.down_proj`, h, intermediateSize, false),
    );
  }
  tensors.push({ name: "model.norm.weight", shape: [h] });
  if (!text.tieWordEmbeddings) tensors.push({ name: "lm_head.weight", shape: [vocabSize, h] });
  return tensors;
}

/** Names that wrappers and other libraries put before those of the model, and what they stand for. */
const PREFIXES: readonly (readonly [RegExp, string])[] = [
  [/^(module\.|_orig_mod\.)+/, ""], // DistributedDataParallel, torch.compile
  [/^(model\.)?(visual|vision_tower|vision_model)\./, "visual."], // transformers 4.52 on, MLX
  [/^(model\.)?language_model\.lm_head\./, "lm_head."],
  [/^(model\.)?language_model\.(model\.)?/, "model."],
  [/^(embed_tokens|layers|norm)\./, "model.$1."], // the decoder alone
];

/** The published name of a tensor that carries the newer name (`model.visual.*`, `model.language_model.*`) or that of a wrapper. */
export function publishedName(name: string): string {
  return PREFIXES.reduce((text, [pattern, prefix]) => text.replace(pattern, prefix), name);
}

const LOADABLE: ReadonlySet<string> = new Set(["BF16", "F32", "F16"]);
/** As many faults as a person wants to read. */
const MAX_FAULTS = 8;

/** Buffers that some writers keep; they follow from the configuration. */
const BUFFER = /\.(rotary_emb|rotary_pos_emb)\.(original_)?inv_freq$/;

/**
 * Finds each tensor of `config` among those of a checkpoint, by published name or another. Of a tied pair either may stand for both; where both are
 * there, `loadWeights` compares them.
 * @returns tensor by published name, in the order of `tensorTable`
 * @throws QwenVLError `tensors`: missing, extra, mis-shaped, present twice, or of another dtype than BF16, F32 and F16; before any data is read.
 */
export function matchTensors(config: QwenVLConfig, tensors: Iterable<TensorInfo>): Map<string, TensorInfo> {
  const found = new Map<string, TensorInfo>();
  const faults: string[] = [];
  for (const tensor of tensors) {
    const name = publishedName(tensor.name);
    if (BUFFER.test(name)) continue;
    const other = found.get(name);
    if (other !== undefined) faults.push(`${name} is there twice, as ${other.name} and ${tensor.name}`);
    found.set(name, tensor);
  }
  const { tieWordEmbeddings, vocabSize, hiddenSize } = config.text;
  const head = found.get("lm_head.weight");
  if (tieWordEmbeddings && head !== undefined && String(head.shape) === String([vocabSize, hiddenSize])) {
    found.delete("lm_head.weight");
    if (!found.has("model.embed_tokens.weight")) found.set("model.embed_tokens.weight", head);
    else if (!LOADABLE.has(head.dtype)) faults.push(wrongDType(head));
  }
  const matched = new Map<string, TensorInfo>();
  for (const { name, shape } of tensorTable(config)) {
    const tensor = found.get(name);
    found.delete(name);
    if (tensor === undefined) faults.push(`${name} [${shape}] is missing`);
    else if (String(tensor.shape) !== String(shape)) {
      faults.push(`${tensor.name} has shape [${tensor.shape}] instead of [${shape}] (${tensor.file})`);
    } else if (!LOADABLE.has(tensor.dtype)) faults.push(wrongDType(tensor));
    else matched.set(name, tensor);
  }
  for (const { name, file } of found.values()) faults.push(`${name} belongs to no part of this model (${file})`);
  if (faults.length > 0) {
    const more = faults.length > MAX_FAULTS ? `; and ${faults.length - MAX_FAULTS} more` : "";
    throw new QwenVLError(
      "tensors",
      `the checkpoint does not fit its configuration: ${faults.slice(0, MAX_FAULTS).join("; ")}${more}`,
    );
  }
  return matched;
}

function wrongDType({ name, dtype, file }: TensorInfo): string {
  return `${name} is ${dtype}; convert it to BF16, F32 or F16 (${file})`;
}

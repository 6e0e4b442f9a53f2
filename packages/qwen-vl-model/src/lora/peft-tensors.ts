// The tensors of an adapter's file, matched to the model: two of each adapted projection, and whole matrices.
import type { SafetensorsReader, TensorInfo } from "@iapo/tensor-core/safetensors";
import { publishedName } from "../config/tensor-table.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { haveSameValues } from "../weights/checkpoint.ts";
import type { PeftConfig } from "./peft-config.ts";
import { isNamedBy, moduleName, projectionsOf } from "./targets.ts";

export interface StoredPair {
  /** Published name of the projection. */
  readonly name: string;
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  readonly rank: number;
  readonly alpha: number;
}

export interface StoredAdapter {
  readonly pairs: readonly StoredPair[];
  /** By published name; a tied pair that is one matrix has one tensor. */
  readonly replaced: ReadonlyMap<string, TensorInfo>;
}

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
const DTYPES: ReadonlySet<string> = new Set(["F32", "BF16", "F16"]);

/** @throws QwenVLError `tensors` for a matrix that is missing, mis-shaped, of another dtype, doubled, or belongs to nothing */
export async function matchAdapter(
  config: QwenVLConfig,
  peft: PeftConfig,
  reader: SafetensorsReader,
  prefix: string,
): Promise<StoredAdapter> {
  const [file = "adapter_model.safetensors"] = [...reader.tensors.values()].map((info) => info.file);
  const fault = (message: string) => new QwenVLError("tensors", `${file}: ${message}`);
  const stored = storedTensors(reader, prefix, fault);
  const take = (key: string, shape: readonly number[]): TensorInfo => {
    const info = stored.get(key);
    if (!info) throw fault(`${key} [${shape}] is missing`);
    if (String(info.shape) !== String(shape) || !DTYPES.has(info.dtype)) {
      throw fault(`${info.name} should be F32, BF16 or F16 [${shape}], not ${info.dtype} [${info.shape}]`);
    }
    stored.delete(key);
    return info;
  };

  const names = new Set([...stored.keys()].map((key) => key.replace(/\.lora_[AB]\.weight$/, "")));
  const projections = projectionsOf(config);
  const adapted = projections.filter(({ name }) => names.has(name));
  const sizes = peft.sizesOf(adapted.map(({ name }) => name));
  const pairs = adapted.map(({ name, out, input }): StoredPair => {
    const { rank, alpha } = sizes.get(name) ?? peft;
    const a = take(`${name}.lora_A.weight`, [rank, input]);
    return { name, a, b: take(`${name}.lora_B.weight`, [out, rank]), rank, alpha };
  });
  const replaced = new Map<string, TensorInfo>();
  for (const [key, module] of [
    [EMBEDDING, "embed_tokens"],
    [HEAD, "lm_head"],
  ] as const) {
    if (!stored.has(key) && !peft.saved.includes(module)) continue;
    replaced.set(key, take(key, [config.text.vocabSize, config.text.hiddenSize]));
  }
  const [embedding, head] = [replaced.get(EMBEDDING), replaced.get(HEAD)];
  if (config.text.tieWordEmbeddings && embedding) {
    const one = head ? await haveSameValues(reader, embedding, head) : peft.keepsTies;
    if (one) replaced.set(HEAD, embedding);
  }
  for (const [key, { name }] of stored) throw fault(`${name} ${reasonAgainst(key)}`);
  const idle = peft.targets.filter((target) => {
    const isTarget = ({ name }: { readonly name: string }) => isNamedBy(name, target);
    return projections.some(isTarget) && !adapted.some(isTarget);
  });
  if (idle.length > 0) throw fault(`target_modules names ${idle.join(", ")}, for which there are no matrices`);
  const left = pairs.find(({ name, a }) => !peft.isTarget([name, moduleName(name), moduleOf(a.name, prefix)]));
  if (left) throw fault(`${left.a.name} is there, though target_modules leaves its module out, and PEFT would too`);
  return { pairs, replaced };
}

/** By published name, without the adapter's own name and without PEFT's wrappers. */
function storedTensors(
  reader: SafetensorsReader,
  prefix: string,
  fault: (message: string) => QwenVLError,
): Map<string, TensorInfo> {
  const stored = new Map<string, TensorInfo>();
  for (const info of reader.tensors.values()) {
    const bare = withoutPrefix(info.name, prefix)
      .replace(/\.(lora_[AB])\.[^.]+\.weight$/, ".$1.weight")
      .replace(/\.modules_to_save(\.[^.]+)?\.weight$/, ".weight");
    const key = publishedName(bare);
    const other = stored.get(key);
    if (other) throw fault(`${key} is there twice, as ${other.name} and ${info.name}`);
    stored.set(key, info);
  }
  if (stored.size === 0) throw fault("holds no tensors");
  return stored;
}

const withoutPrefix = (name: string, prefix: string): string =>
  name.startsWith(prefix) ? name.slice(prefix.length) : name;

/** The module's name when its adapter was saved. */
const moduleOf = (name: string, prefix: string): string => withoutPrefix(name, prefix).replace(/\.lora_A\..*$/, "");

function reasonAgainst(key: string): string {
  const merge = "merge it into the base model with PEFT's merge_and_unload";
  if (/lora_embedding_|^lm_head\.lora_|patch_embed\.proj\.lora_/.test(key)) {
    return `adapts the embedding, the head or the patch embedding, which is not supported: ${merge}`;
  }
  if (/lora_magnitude_vector/.test(key)) return `is a magnitude of DoRA, which is not supported: ${merge}`;
  return "belongs to no projection of this model";
}

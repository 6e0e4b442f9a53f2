// From the GPU to a Hugging Face checkpoint directory, in pieces; adapters are merged and rounded on the way.
import { copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { add, cast, matmul, scale, scope, type Tensor, toBf16, withTag } from "@iapo/tensor-core";
import { type TensorSource, writeSafetensorsShards } from "@iapo/tensor-core/safetensors";
import { writeConfig } from "../config/model-config.ts";
import type { Adapter } from "../lora/adapter.ts";
import type { QwenVLModel } from "../model/model.ts";
import { type Weight, Weights } from "./weights.ts";

/** Bytes read back from the GPU at once. */
const PIECE_BYTES = 64 * 2 ** 20;

/** Files beside the weights that make a directory usable: copied where the source has them. */
const COMPANIONS = [
  "generation_config.json",
  "preprocessor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "vocab.json",
  "merges.txt",
  "chat_template.json",
  "chat_template.jinja",
];

export interface ExportOptions {
  /** A checkpoint directory whose tokenizer, template and processor files are copied. */
  readonly companions?: string | undefined;
  /** Data bytes of one file at most; default 5e9. */
  readonly maxShardBytes?: number | undefined;
}

/** The run copies of a model with its adapter merged in: matrices `W + scale * B A`, rounded to the weights' dtype. */
export function mergedWeights(weights: Weights, adapter: Adapter | undefined): Weights {
  const { device, dtype } = weights;
  const merged = [...weights].map((weight): Weight => {
    const pair = adapter?.pairs.get(weight.name.replace(/\.weight$/, ""));
    const run = withTag("weights", () =>
      adapter && pair ? mergedMatrix(weight.run, pair.a.run, pair.b.run, adapter.scale) : weight.run.alias(),
    );
    return { name: weight.name, shape: weight.shape, run, master: undefined };
  });
  return new Weights(device, dtype, merged);
}

function mergedMatrix(base: Tensor, a: Tensor, b: Tensor, factor: number): Tensor {
  return scope(() => {
    const sum = add(cast(base, "f32"), scale(matmul(b, a), factor));
    return base.dtype === "bf16" ? cast(sum, "bf16") : sum;
  });
}

/**
 * Writes `model`, with its adapter merged, as a checkpoint directory: config.json, safetensors under the published names, companions.
 * The weights appear only when they are complete. Throws SafetensorsError.
 */
export async function exportModel(model: QwenVLModel, directory: string, options: ExportOptions = {}): Promise<void> {
  await mkdir(directory, { recursive: true });
  const merged = scope(() => mergedWeights(model.weights, model.adapter));
  try {
    const sources = [...merged].map((weight) => source(weight, merged.dtype));
    const limit = options.maxShardBytes === undefined ? {} : { maxShardBytes: options.maxShardBytes };
    await writeSafetensorsShards(directory, sources, limit);
  } finally {
    merged.dispose();
  }
  const { companions } = options;
  for (const name of companions ? COMPANIONS : []) {
    await copyFile(join(companions!, name), join(directory, name)).catch(ignoreMissing);
  }
  const dtype = model.weights.dtype === "bf16" ? "bfloat16" : "float32";
  const file = join(directory, "config.json");
  await writeFile(`${file}.partial`, `${JSON.stringify(writeConfig({ ...model.config, dtype }), null, 2)}\n`);
  await rename(`${file}.partial`, file);
}

function source(weight: Weight, dtype: Weights["dtype"]): TensorSource {
  const bf16 = dtype === "bf16";
  return { name: weight.name, dtype: bf16 ? "BF16" : "F32", shape: weight.shape, data: () => pieces(weight.run, bf16) };
}

/** The bytes of a tensor as they go into a file. A vector of a bf16 model is held in f32 and is rounded already: this is exact. */
async function* pieces(tensor: Tensor, bf16: boolean): AsyncGenerator<Uint8Array> {
  for (const { tensor: part } of tensor.parts()) {
    for (let at = 0; at < part.bytes; at += PIECE_BYTES) {
      const bytes = await part.device.readBytes(
        part.storage,
        part.byteOffset + at,
        Math.min(PIECE_BYTES, part.bytes - at),
      );
      if (bf16 && part.dtype === "f32") yield new Uint8Array(toBf16(new Float32Array(bytes)).buffer);
      else yield new Uint8Array(bytes);
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

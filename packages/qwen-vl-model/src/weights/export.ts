// From the GPU to a Hugging Face checkpoint directory, in pieces; an adapter is merged and rounded on the way, matrix by matrix.
import { copyFile, mkdir, readdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { besideOf, makeDirectory } from "@iapo/rollout-trace/files";
import { TensorError } from "@iapo/tensor-core";
import { type TensorSource, writeSafetensorsShards } from "@iapo/tensor-core/safetensors";
import { writeConfig } from "../config/model-config.ts";
import { QwenVLError, reasonOf } from "../error.ts";
import { familyOf } from "../families/registry.ts";
import { checkTies, mergedRun } from "../lora/merge.ts";
import type { QwenVLModel } from "../model/model.ts";
import { filePieces } from "./pieces.ts";

/** Files beside the weights that make a directory usable: copied where the source has them. */
const COMPANIONS = [
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "video_preprocessor_config.json",
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

/**
 * Writes `model`, with its adapter merged, as a checkpoint directory: safetensors under the published names, config.json, companions. The
 * directory is new or empty, and appears when it is complete; after an error nothing is left. The weights must not change meanwhile.
 * @throws QwenVLError `io`, `export` for an adapter that parts a tied pair, SafetensorsError, TensorError.
 */
export async function exportModel(model: QwenVLModel, directory: string, options: ExportOptions = {}): Promise<void> {
  checkTies(model.weights, model.adapter);
  const target = resolve(directory);
  const partial = besideOf(target);
  await withFiles(target, async () => {
    if ((await entriesOf(target)).length > 0) throw new Error("there are files already; export to a new directory");
    await makeDirectory(dirname(target));
    await mkdir(partial);
  });
  try {
    const { companions, maxShardBytes } = options;
    if (companions !== undefined) await copyCompanions(companions, partial);
    const limit = maxShardBytes === undefined ? {} : { maxShardBytes };
    await writeSafetensorsShards(partial, tensorSources(model), limit);
    await withFiles(target, async () => {
      const dtype = model.weights.dtype === "bf16" ? "bfloat16" : "float32";
      const config = writeConfig({ ...model.config, dtype });
      await writeFile(join(partial, "config.json"), `${JSON.stringify(config, null, 2)}\n`, { flush: true });
      await rmdir(target).catch(ignoreMissing);
      await rename(partial, target);
    });
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {}); // what went wrong first is what the caller must hear
    throw error;
  }
}

function tensorSources({ config, weights, adapter }: QwenVLModel): TensorSource[] {
  const { checkpointName } = familyOf(config);
  const dtype = weights.dtype === "bf16" ? "BF16" : "F32";
  return [...weights].map((weight) => ({
    name: checkpointName(weight.name),
    dtype,
    shape: weight.shape,
    data: async function* () {
      using run = mergedRun(weight, adapter, weights.dtype);
      yield* filePieces(run, dtype);
    },
  }));
}

async function copyCompanions(from: string, to: string): Promise<void> {
  await withFiles(from, async () => {
    if (!(await stat(from)).isDirectory()) throw new Error("is no directory");
    for (const name of COMPANIONS) await copyFile(join(from, name), join(to, name)).catch(ignoreMissing);
    await sayTokenizer(to);
  });
}

/**
 * Where a tokenizer.json stands alone, transformers 5 takes the tokenizer of the model's type, which cuts texts by rules of its own (digits one by
 * one), in place of the file's: so a file that says what to take.
 */
async function sayTokenizer(directory: string): Promise<void> {
  const files = await readdir(directory);
  if (!files.includes("tokenizer.json") || files.includes("tokenizer_config.json")) return;
  const config = { tokenizer_class: "PreTrainedTokenizerFast" };
  await writeFile(join(directory, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`, { flush: true });
}

async function entriesOf(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(ignoreMissing)) ?? [];
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

/** Runs file-system work on `path` and turns what it throws into a QwenVLError `io`. */
async function withFiles<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof QwenVLError || cause instanceof TensorError) throw cause;
    throw new QwenVLError("io", `${path}: ${reasonOf(cause)}`, { cause });
  }
}

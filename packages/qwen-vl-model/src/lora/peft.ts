// Adapters on disk as PEFT has them: adapter_config.json and adapter_model.safetensors.
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Device, fromBf16, type Tensor, withTag } from "@iapo/tensor-core";
import {
  openSafetensors,
  type SafetensorsReader,
  type TensorInfo,
  type TensorSource,
  writeSafetensors,
} from "@iapo/tensor-core/safetensors";
import { z } from "zod";
import { readJsonFile, validate } from "../config/json-file.ts";
import type { QwenVLConfig } from "../config/model-config.ts";
import { publishedName } from "../config/tensor-table.ts";
import { QwenVLError, reasonOf } from "../error.ts";
import { filePieces } from "../weights/pieces.ts";
import { Adapter, type AdapterPair, targetsOf, trainable } from "./adapter.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

const none = (what: string) => z.record(z.string(), z.never(`${what} is not supported`)).nullish();

/** What changes an adapter's meaning; the rest of PEFT's fields (dropout, task, ...) does not, once it is trained. */
const configSchema = z.object({
  peft_type: z.literal("LORA", { error: 'only "LORA" is supported' }),
  r: z.int().min(1).max(4096),
  lora_alpha: z.number().positive(),
  bias: z.literal("none", { error: 'only "none" is supported' }).default("none"),
  use_dora: z.literal(false, { error: "DoRA is not supported" }).default(false),
  use_rslora: z.literal(false, { error: "rank-stabilized LoRA is not supported" }).default(false),
  rank_pattern: none("a rank per module"),
  alpha_pattern: none("an alpha per module"),
  // The other ways to start (PiSSA, OLoRA, LoftQ, CorDA) alter the base weights too.
  init_lora_weights: z
    .union([z.boolean(), z.enum(["gaussian", "eva", "orthogonal"])], { error: "this start alters the base weights" })
    .nullish(),
});

/** The name that current transformers has in memory, which PEFT's keys follow. */
function moduleName(name: string): string {
  return name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.");
}

/**
 * Writes an adapter into a directory, which is made where it is not there: weights first, configuration last, each whole or not at all.
 * @param baseModel where the base weights are: a hub id or a directory, for those who load the adapter
 * @throws QwenVLError `io`, SafetensorsError.
 */
export async function saveAdapter(adapter: Adapter, directory: string, baseModel: string): Promise<void> {
  const file = join(directory, CONFIG);
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: baseModel,
    r: adapter.options.rank,
    lora_alpha: adapter.options.alpha,
    lora_dropout: 0,
    bias: "none",
    inference_mode: true,
    target_modules: [...adapter.pairs.keys()].map(moduleName),
  };
  try {
    await mkdir(directory, { recursive: true });
    await writeSafetensors(join(directory, WEIGHTS), [...adapter.pairs].flatMap(sourcesOf));
    await writeFile(`${file}.partial`, `${JSON.stringify(config, null, 2)}\n`, { flush: true });
    await rename(`${file}.partial`, file);
  } catch (cause) {
    if (cause instanceof Error && "syscall" in cause) {
      throw new QwenVLError("io", `${directory}: ${reasonOf(cause)}`, { cause });
    }
    throw cause;
  }
}

function sourcesOf([name, { a, b }]: [string, AdapterPair]): TensorSource[] {
  const source = (part: string, { run }: { readonly run: Tensor }): TensorSource => ({
    name: `${PREFIX}${moduleName(name)}.${part}.weight`,
    dtype: "F32",
    shape: run.shape,
    data: () => filePieces(run, "F32"),
  });
  return [source("lora_A", a), source("lora_B", b)];
}

/**
 * Loads an adapter that PEFT or `saveAdapter` wrote, with either naming of the modules, f32 or bf16. Everything is checked before a tensor is read.
 * @throws QwenVLError `config` for a configuration that is not plain LoRA, `tensors` where matrices do not fit the model; SafetensorsError.
 */
export async function loadAdapter(device: Device, config: QwenVLConfig, directory: string): Promise<Adapter> {
  const file = join(directory, CONFIG);
  const json = await readJsonFile(file);
  if (json === undefined) throw new QwenVLError("config", `${file}: there is no such file`);
  const { r: rank, lora_alpha: alpha } = validate(configSchema, json, file);
  await using reader = await openSafetensors(join(directory, WEIGHTS));
  const { targets, matrices } = matchMatrices(config, rank, reader, directory);
  const loaded = new Map<string, Tensor>();
  try {
    for (const { key, info, shape } of matrices) {
      const values = await readFloats(reader, info);
      loaded.set(
        key,
        withTag("adapter", () => device.tensor(values, shape)),
      );
    }
  } catch (error) {
    for (const tensor of loaded.values()) tensor.dispose();
    throw error;
  }
  const matrix = (key: string) => trainable(key, loaded.get(key)!);
  const pairs = targets.map((name): [string, AdapterPair] => [name, { a: matrix(keyA(name)), b: matrix(keyB(name)) }]);
  return new Adapter({ rank, alpha, targets }, new Map(pairs));
}

const keyA = (name: string): string => `${name}.lora_A.weight`;
const keyB = (name: string): string => `${name}.lora_B.weight`;

interface StoredMatrix {
  readonly key: string;
  readonly info: TensorInfo;
  readonly shape: readonly [number, number];
}

/** Finds A and B of every adapted projection. Throws `tensors` for one that is missing, mis-shaped, doubled or belongs to nothing. */
function matchMatrices(
  config: QwenVLConfig,
  rank: number,
  reader: SafetensorsReader,
  directory: string,
): { targets: string[]; matrices: StoredMatrix[] } {
  const fault = (message: string) => new QwenVLError("tensors", `${join(directory, WEIGHTS)}: ${message}`);
  const stored = new Map<string, TensorInfo>();
  for (const info of reader.tensors.values()) {
    const key = publishedName(info.name.startsWith(PREFIX) ? info.name.slice(PREFIX.length) : info.name);
    if (stored.has(key)) throw fault(`${key} is there twice, as ${stored.get(key)!.name} and ${info.name}`);
    stored.set(key, info);
  }
  if (stored.size === 0) throw fault("holds no tensors");
  const names = new Set([...stored.keys()].map((key) => key.replace(/\.lora_[AB]\.weight$/, "")));
  const everything = targetsOf(config, { rank, alpha: 1, targets: /^/ });
  const targets = everything.filter(({ name }) => names.has(name));
  const matrices: StoredMatrix[] = [];
  for (const { name, out, input } of targets) {
    const wanted: [string, readonly [number, number]][] = [
      [keyA(name), [rank, input]],
      [keyB(name), [out, rank]],
    ];
    for (const [key, shape] of wanted) {
      const info = stored.get(key);
      if (!info) throw fault(`${key} [${shape}] is missing`);
      if (String(info.shape) !== String(shape) || (info.dtype !== "F32" && info.dtype !== "BF16")) {
        throw fault(`${info.name} should be F32 or BF16 [${shape}], not ${info.dtype} [${info.shape}]`);
      }
      matrices.push({ key, info, shape });
      stored.delete(key);
    }
  }
  for (const { name } of stored.values()) throw fault(`${name} belongs to no projection of this model`);
  return { targets: targets.map(({ name }) => name), matrices };
}

async function readFloats(reader: SafetensorsReader, { name, dtype }: TensorInfo): Promise<Float32Array> {
  const { buffer } = await reader.read(name);
  return dtype === "BF16" ? fromBf16(new Uint16Array(buffer)) : new Float32Array(buffer);
}

// Adapters on disk as PEFT has them: adapter_config.json and adapter_model.safetensors.
import { rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TraceError } from "@iapo/rollout-trace";
import { makeDirectory } from "@iapo/rollout-trace/files";
import { type Device, scope, type Tensor, withTag } from "@iapo/tensor-core";
import {
  openSafetensors,
  type SafetensorsReader,
  type TensorInfo,
  type TensorSource,
  writeSafetensors,
} from "@iapo/tensor-core/safetensors";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError, reasonOf } from "../error.ts";
import { elementsOf, floatsOf } from "../weights/checkpoint.ts";
import { writeValues } from "../weights/load.ts";
import { filePieces } from "../weights/pieces.ts";
import { emptyOf } from "../weights/weights.ts";
import { Adapter, type AdapterPair, scaleOf, sideBySide, trainable } from "./adapter.ts";
import { readPeftConfig } from "./peft-config.ts";
import { matchAdapter } from "./peft-tensors.ts";
import { moduleName } from "./targets.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

/**
 * Writes an adapter into a directory, which is made where it is not there: weights first, configuration last, each whole or not at all.
 * @param baseModel where the base weights are: a hub id or a directory, for those who load the adapter
 * @throws QwenVLError `io`, SafetensorsError.
 */
export async function saveAdapter(adapter: Adapter, directory: string, baseModel: string): Promise<void> {
  const file = join(directory, CONFIG);
  const { rank, alpha, rankStabilized = false } = adapter.options;
  const pairs = [...adapter.pairs].map(([name, pair]) => [moduleName(name), pair] as const);
  const replaced = [...adapter.replaced].map(([name, matrix]) => [moduleName(name), matrix] as const);
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: baseModel,
    r: rank,
    lora_alpha: alpha,
    use_rslora: rankStabilized,
    rank_pattern: Object.fromEntries(
      pairs.filter(([, pair]) => pair.rank !== rank).map(([name, pair]) => [name, pair.rank]),
    ),
    alpha_pattern: Object.fromEntries(
      pairs.filter(([, pair]) => pair.alpha !== alpha).map(([name, pair]) => [name, pair.alpha]),
    ),
    lora_dropout: 0,
    bias: "none",
    inference_mode: true,
    target_modules: pairs.map(([name]) => name),
    modules_to_save: replaced.length === 0 ? null : replaced.map(([name]) => name.split(".").at(-2)),
  };
  const sources = [...pairs.flatMap(sourcesOf), ...replaced.map(([name, matrix]) => sourceOf(name, matrix))];
  try {
    await makeDirectory(directory);
    await writeSafetensors(join(directory, WEIGHTS), sources);
    await writeFile(`${file}.partial`, `${JSON.stringify(config, null, 2)}\n`, { flush: true });
    await rename(`${file}.partial`, file);
  } catch (cause) {
    if (cause instanceof TraceError || (cause instanceof Error && "syscall" in cause)) {
      throw new QwenVLError("io", `${directory}: ${reasonOf(cause)}`, { cause });
    }
    throw cause;
  }
}

function sourcesOf([name, { a, b }]: readonly [string, AdapterPair]): TensorSource[] {
  return [sourceOf(`${name}.lora_A.weight`, a.run), sourceOf(`${name}.lora_B.weight`, b.run)];
}

function sourceOf(name: string, matrix: Tensor): TensorSource {
  const dtype = matrix.dtype === "bf16" ? "BF16" : "F32";
  return { name: `${PREFIX}${name}`, dtype, shape: matrix.shape, data: () => filePieces(matrix, dtype) };
}

/**
 * Loads an adapter that PEFT or `saveAdapter` wrote: LoRA and rsLoRA, with ranks and alphas of single modules, and `modules_to_save` for the
 * embedding and the head; under the module names of any transformers version, in F32, BF16 or F16 (widened exactly). Everything is checked before
 * a tensor is read.
 * @throws QwenVLError `config` for a configuration that means something else, `tensors` where matrices do not fit it or the model; SafetensorsError
 */
export async function loadAdapter(device: Device, config: QwenVLConfig, directory: string): Promise<Adapter> {
  const peft = await readPeftConfig(join(directory, CONFIG));
  await using reader = await openWeights(directory);
  const { pairs, replaced } = await matchAdapter(config, peft, reader, PREFIX);
  const { rank, alpha, rankStabilized } = peft;
  const made: Tensor[] = [];
  const kept = (tensor: Tensor): Tensor => {
    made.push(tensor);
    return tensor;
  };
  try {
    const loaded = new Map<string, AdapterPair>();
    for (const { name, a, b, ...sizes } of pairs) {
      const matrix = async (part: string, info: TensorInfo) =>
        trainable(`${name}.${part}.weight`, kept(await readMatrix(device, reader, info)));
      const scale = scaleOf({ ...sizes, rankStabilized });
      loaded.set(name, { a: await matrix("lora_A", a), b: await matrix("lora_B", b), ...sizes, scale });
    }
    const whole = new Map<TensorInfo, Tensor>();
    const matrices = new Map<string, Tensor>();
    for (const [name, info] of replaced) {
      const matrix = whole.get(info) ?? kept(withTag("adapter", () => emptyOf(device, info.shape, heldAs(info))));
      if (!whole.has(info)) await fill(matrix, reader, info);
      whole.set(info, matrix);
      matrices.set(name, matrix);
    }
    const all = scope(() => sideBySide(loaded));
    for (const [name, { a, b }] of loaded) {
      if (all.get(name)?.a !== a) a.run.dispose();
      if (all.get(name)?.b !== b) b.run.dispose();
    }
    return new Adapter({ rank, alpha, rankStabilized, targets: [...all.keys()] }, all, matrices);
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

async function openWeights(directory: string): Promise<SafetensorsReader> {
  const file = join(directory, WEIGHTS);
  const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() === true;
  if (!(await isFile(file)) && (await isFile(join(directory, "adapter_model.bin")))) {
    throw new QwenVLError(
      "tensors",
      `${directory}: holds adapter_model.bin, and reading that runs code; save it once with PEFT's save_pretrained(..., safe_serialization=True)`,
    );
  }
  return openSafetensors(file);
}

const heldAs = ({ dtype }: TensorInfo): "bf16" | "f32" => (dtype === "BF16" ? "bf16" : "f32");

async function readMatrix(device: Device, reader: SafetensorsReader, info: TensorInfo): Promise<Tensor> {
  const values = floatsOf(await reader.read(info.name), info.dtype);
  if (!values.every(Number.isFinite))
    throw new QwenVLError(
      "tensors",
      `${info.file}: ${info.name} holds a value that is not finite; take an earlier checkpoint`,
    );
  return withTag("adapter", () => device.tensor(values, info.shape));
}

async function fill(matrix: Tensor, reader: SafetensorsReader, info: TensorInfo): Promise<void> {
  let at = 0;
  for await (const piece of reader.pieces(info.name)) {
    const values = elementsOf(piece, info.dtype);
    writeValues(matrix, values, at, "f32");
    at += values.length;
    await matrix.device.idle(); // frees the upload's staging memory before the next piece
  }
}

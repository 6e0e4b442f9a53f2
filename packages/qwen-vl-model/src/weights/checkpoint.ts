// The tensors of a checkpoint: opened, matched to a configuration, and read as numbers.
import { readdir } from "node:fs/promises";
import { fromBf16 } from "@iapo/tensor-core";
import {
  openSafetensors,
  SafetensorsError,
  type SafetensorsReader,
  type TensorInfo,
} from "@iapo/tensor-core/safetensors";
import { matchTensors, publishedName } from "../config/tensor-table.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { fromF16 } from "./half.ts";
import type { RunDType } from "./weights.ts";

/** Opens a directory or a file. @throws SafetensorsError; QwenVLError `tensors` for weights in another form, with what to do */
export async function openCheckpoint(path: string): Promise<SafetensorsReader> {
  try {
    return await openSafetensors(path);
  } catch (cause) {
    const found = cause instanceof SafetensorsError ? await otherWeights(path) : undefined;
    if (found === undefined) throw cause;
    throw new QwenVLError("tensors", `${path}: ${found}`, { cause });
  }
}

/** What a directory holds in place of `model.safetensors` and its index. */
async function otherWeights(path: string): Promise<string | undefined> {
  const files = await readdir(path).catch(() => []);
  if (files.some((name) => /^model\.safetensors(\.index\.json)?$/.test(name))) return undefined;
  const shard = files.find((name) => /^model-\d+-of-\d+\.safetensors$/.test(name));
  if (shard !== undefined)
    return `holds ${shard} without model.safetensors.index.json, which says what else belongs to it; fetch the index too`;
  const variant = files.find((name) => /^model\..*safetensors$/.test(name));
  if (variant !== undefined)
    return `holds ${variant}, one of several variants; rename the one that is meant to model.safetensors`;
  const pickled = files.find((name) => /\.(bin|pt|pth)$/.test(name) && !name.startsWith("training_args"));
  if (pickled === undefined) return undefined;
  return `holds ${pickled}, and reading that runs code; convert it once: from_pretrained(...).save_pretrained(..., safe_serialization=True) of transformers`;
}

/**
 * The tensor of each published name, as `matchTensors`; where the head is tied to the embedding and the file holds both, their values are compared.
 * @throws QwenVLError `tensors`, SafetensorsError
 */
export async function matchCheckpoint(
  config: QwenVLConfig,
  reader: SafetensorsReader,
): Promise<Map<string, TensorInfo>> {
  const tensors = [...reader.tensors.values()];
  const matched = matchTensors(config, tensors);
  const embedding = matched.get("model.embed_tokens.weight");
  const head = tensors.find(({ name }) => publishedName(name) === "lm_head.weight");
  if (!config.text.tieWordEmbeddings || !embedding || !head || head === embedding) return matched;
  if (await haveSameValues(reader, embedding, head)) return matched;
  const advice = "set tie_word_embeddings to false in config.json to use it, or remove it from the file";
  throw new QwenVLError(
    "tensors",
    `${head.name} differs from ${embedding.name}, yet tie_word_embeddings says that they are one matrix; ${advice} (${head.file})`,
  );
}

/** Rows compared at once are about so many bytes. */
const COMPARED_BYTES = 4 * 2 ** 20;

/** Whether two tensors of one shape hold the same numbers, whatever their dtypes. */
export async function haveSameValues(reader: SafetensorsReader, a: TensorInfo, b: TensorInfo): Promise<boolean> {
  const [rows = 1, ...columns] = a.shape;
  const step = Math.max(1, Math.floor(COMPARED_BYTES / (4 * columns.reduce((x, y) => x * y, 1))));
  for (let start = 0; start < rows; start += step) {
    const range = { start, end: Math.min(rows, start + step) };
    const [x, y] = [await rowsOf(reader, a, range), await rowsOf(reader, b, range)];
    if (
      !(a.dtype === b.dtype ? Buffer.compare(x, y) === 0 : haveSameNumbers(floatsOf(x, a.dtype), floatsOf(y, b.dtype)))
    )
      return false;
  }
  return true;
}

/** The bytes of so few rows that they are one piece. */
async function rowsOf(
  reader: SafetensorsReader,
  info: TensorInfo,
  rows: { start: number; end: number },
): Promise<Uint8Array<ArrayBuffer>> {
  for await (const piece of reader.pieces(info.name, { rows })) return piece;
  return new Uint8Array();
}

function haveSameNumbers(x: Float32Array, y: Float32Array): boolean {
  return x.length === y.length && x.every((value, i) => Object.is(value, y[i]));
}

/** The elements of a piece: patterns for BF16, which may be held as they are, else numbers. */
export function elementsOf(
  piece: Uint8Array<ArrayBuffer>,
  dtype: string,
): Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(piece.buffer, 0, piece.byteLength / 4);
  const patterns = new Uint16Array(piece.buffer, 0, piece.byteLength / 2);
  return dtype === "F16" ? fromF16(patterns) : patterns;
}

/** The numbers of a piece. */
export function floatsOf(piece: Uint8Array<ArrayBuffer>, dtype: string): Float32Array {
  const elements = elementsOf(piece, dtype);
  return elements instanceof Uint16Array ? fromBf16(elements) : elements;
}

/** How a checkpoint's matrices are held without loss: bf16 if some are BF16, f32 where one is F16, which bf16 would round. */
export function storedDType(tensors: Iterable<TensorInfo>): RunDType {
  const dtypes = new Set([...tensors].filter(({ shape }) => shape.length >= 2).map(({ dtype }) => dtype));
  return dtypes.has("BF16") && !dtypes.has("F16") ? "bf16" : "f32";
}

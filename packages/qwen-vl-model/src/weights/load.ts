// From a checkpoint directory to the GPU, in pieces: no tensor is ever whole in JavaScript memory.
import { type Device, fromBf16, type Tensor, toBf16, toInt8 } from "@iapo/tensor-core";
import type { SafetensorsReader, TensorInfo } from "@iapo/tensor-core/safetensors";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { elementsOf, matchCheckpoint, openCheckpoint, storedDType } from "./checkpoint.ts";
import { type RunDType, type Weight, Weights } from "./weights.ts";

export interface LoadWeightsOptions {
  /** How matrices are held: default as the checkpoint has them (bf16 if any matrix is; f32 for F16, which bf16 would round). */
  readonly dtype?: RunDType | undefined;
  /** Which tensors get an f32 master, by published name. Default: none. */
  readonly trainable?: ((name: string) => boolean) | undefined;
  /** `int8`: projections of the decoder without a master in eight bits. */
  readonly base?: "int8" | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Heard between pieces of 64 MiB. */
  readonly signal?: AbortSignal | undefined;
}

export interface LoadProgress {
  readonly tensor: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/**
 * Loads the weights of `directory` (or of a safetensors file). Names, shapes and dtypes are checked before anything is allocated.
 * After an error nothing is left on the device.
 * @throws QwenVLError `tensors`, SafetensorsError, TensorError `out_of_memory`, the reason of `signal`
 */
export async function loadWeights(
  device: Device,
  config: QwenVLConfig,
  path: string,
  options: LoadWeightsOptions = {},
): Promise<Weights> {
  options.signal?.throwIfAborted();
  await using reader = await openCheckpoint(path);
  const matched = await matchCheckpoint(config, reader);
  const dtype = options.dtype ?? storedDType(matched.values());
  const weights = Weights.allocate(device, config, dtype, options.trainable, options.base);
  try {
    const totalBytes = [...matched.values()].reduce((sum, info) => sum + info.byteLength, 0);
    let loadedBytes = 0;
    for (const [name, info] of matched) {
      for await (const bytes of fillWeight(reader, info, weights.weight(name), weights.dtype)) {
        options.signal?.throwIfAborted();
        loadedBytes += bytes;
        options.onProgress?.({ tensor: name, loadedBytes, totalBytes });
      }
    }
    await device.idle();
    return weights;
  } catch (error) {
    weights.dispose();
    throw error;
  }
}

/** Finds out early what `loadWeights` would refuse: files, names, shapes and dtypes, and whether a tied head is the embedding. @throws as `loadWeights` */
export async function checkWeights(config: QwenVLConfig, path: string): Promise<void> {
  await using reader = await openCheckpoint(path);
  await matchCheckpoint(config, reader);
}

async function* fillWeight(
  reader: SafetensorsReader,
  info: TensorInfo,
  weight: Weight,
  dtype: RunDType,
): AsyncGenerator<number> {
  let at = 0;
  for await (const piece of reader.pieces(info.name)) {
    const values = elementsOf(piece, info.dtype);
    fill(weight, values, at, dtype);
    at += values.length;
    await weight.run.device.idle(); // frees the upload's staging memory before the next piece
    yield piece.byteLength;
  }
}

/** Writes elements from `start` on into a weight, as it is held. @throws QwenVLError `tensors` for values that are not finite, in eight bits */
export function fill(weight: Weight, values: Uint16Array | Float32Array, start: number, dtype: RunDType): void {
  const { name, run, scales, master } = weight;
  if (!scales) {
    writeValues(run, values, start, dtype);
    if (master && master !== run) writeValues(master, values, start, "f32");
    return;
  }
  const group = (4 * run.size) / scales.size;
  const held = values instanceof Uint16Array ? fromBf16(values) : dtype === "bf16" ? fromBf16(toBf16(values)) : values;
  const int8 = toInt8(held, group);
  if (int8.scales.some(Number.isNaN))
    throw new QwenVLError("tensors", `${name} has values that are not finite, which eight bits cannot hold`);
  run.write(int8.values, start / 4);
  scales.write(int8.scales, start / group);
}

/** Writes elements from `start` on over a tensor's row parts; `rounded` is the precision that the values are cut to. */
export function writeValues(
  tensor: Tensor,
  values: Uint16Array | Float32Array,
  start: number,
  rounded: RunDType,
): void {
  const columns = tensor.size / (tensor.shape[0] || 1);
  for (const part of tensor.parts()) {
    const first = part.start * columns;
    const from = Math.max(start, first);
    const to = Math.min(start + values.length, first + part.tensor.size);
    if (from >= to) continue;
    const slice = values.subarray(from - start, to - start);
    if (tensor.dtype === "bf16") part.tensor.write(slice instanceof Uint16Array ? slice : toBf16(slice), from - first);
    else if (slice instanceof Uint16Array) part.tensor.write(fromBf16(slice), from - first);
    else part.tensor.write(rounded === "bf16" ? fromBf16(toBf16(slice)) : slice, from - first);
  }
}

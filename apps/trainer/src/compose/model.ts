// From a configuration's `model` to a policy that can be trained.
import {
  Adapter,
  initializeWeights,
  loadWeights,
  QwenVLModel,
  QwenVLPolicy,
  resolveModel,
  TEXT_PROJECTIONS,
  Weights,
} from "@iapo/qwen-vl-model";
import { loadConfig, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import type { ModelSettings, ModelSource } from "../config/model.ts";

export interface ModelOptions {
  /** Of a fresh adapter. */
  readonly seed: number;
  /** Nothing of it is trained. */
  readonly frozen?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** The policy's model is the caller's to dispose. @throws QwenVLError, SafetensorsError, TensorError `out_of_memory` */
export async function openPolicy(
  device: Device,
  settings: ModelSettings,
  options: ModelOptions,
): Promise<QwenVLPolicy> {
  const { minPixels, maxPixels, lora, recompute } = settings;
  const directory = await modelDirectory(settings, options);
  const limits = { ...(minPixels !== undefined && { minPixels }), ...(maxPixels !== undefined && { maxPixels }) };
  const config = await loadConfig(directory);
  const processor = await loadProcessor(directory, limits);
  const weights = await weightsOf(device, config, directory, settings, options);
  const targets = lora?.targets ?? TEXT_PROJECTIONS;
  const adapter = lora && Adapter.create(device, config, { ...lora, targets }, deriveSeed("adapter", options.seed));
  return new QwenVLPolicy(new QwenVLModel(config, weights, adapter), processor, { checkpoint: recompute });
}

/** The local directory; a model of a hub is downloaded. @throws QwenVLError */
export async function modelDirectory(
  { directory, hub }: ModelSource,
  { signal, onPhase }: Pick<ModelOptions, "signal" | "onPhase">,
): Promise<string> {
  if (directory !== undefined) return directory;
  const { repository = "", revision } = hub ?? {};
  return resolveModel(repository, {
    ...(revision !== undefined && { revision }),
    ...(signal && { signal }),
    onProgress: ({ bytes, total }) => onPhase?.(`download ${Math.floor((100 * bytes) / total)} %`),
  });
}

async function weightsOf(
  device: Device,
  config: QwenVLConfig,
  directory: string,
  { dtype, initialize, lora }: ModelSettings,
  { frozen, onPhase }: ModelOptions,
): Promise<Weights> {
  const trainable = (): boolean => !frozen && lora === undefined;
  if (device.gpu === undefined) {
    // A planning device holds no values: nothing is read but how matrices are stored.
    const held = dtype ?? (initialize === undefined ? await storedAs(directory) : "f32");
    return Weights.allocate(device, config, held, trainable);
  }
  if (initialize !== undefined) {
    return initializeWeights(device, config, deriveSeed("model", initialize), {
      ...(dtype && { dtype }),
      trainable,
      deviation: "fan_in",
    });
  }
  return loadWeights(device, config, directory, {
    dtype,
    trainable,
    onProgress: ({ loadedBytes, totalBytes }) => onPhase?.(`load ${Math.floor((100 * loadedBytes) / totalBytes)} %`),
  });
}

async function storedAs(directory: string): Promise<"bf16" | "f32"> {
  await using reader = await openSafetensors(directory);
  const matrices = [...reader.tensors.values()].filter(({ shape }) => shape.length >= 2);
  return matrices.some(({ dtype }) => dtype === "BF16") ? "bf16" : "f32";
}

// From a configuration's `model` to a policy that can be trained.
import { readdir } from "node:fs/promises";
import {
  Adapter,
  checkWeights,
  initializeWeights,
  loadWeights,
  QwenVLModel,
  QwenVLPolicy,
  resolveModel,
  TEXT_PROJECTIONS,
  Weights,
} from "@iapo/qwen-vl-model";
import { loadConfig, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor, type Processor } from "@iapo/qwen-vl-model/processor";
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
  const { lora, recompute } = settings;
  const { directory, config, processor } = await openFiles(settings, options);
  const weights = await weightsOf(device, config, directory, settings, options);
  const targets = lora?.targets ?? TEXT_PROJECTIONS;
  const adapter = lora && Adapter.create(device, config, { ...lora, targets }, deriveSeed("adapter", options.seed));
  return new QwenVLPolicy(new QwenVLModel(config, weights, adapter), processor, { checkpoint: recompute });
}

export interface PolicyInTurns {
  readonly policy: QwenVLPolicy;
  /** Loads the weights, awaits `work`, frees them. One at a time. */
  use<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * A frozen policy whose weights are on the device only while it is used; in between they are the operating system's to keep, as pages of
 * their files. `onPhase` hears `load teacher`, `teacher`, and of what comes after. @throws as `openPolicy`; so does `use`
 */
export async function openPolicyInTurns(
  device: Device,
  source: ModelSource,
  options: Pick<ModelOptions, "signal" | "onPhase">,
): Promise<PolicyInTurns> {
  const settings = { ...source, recompute: false };
  const { directory, config, processor } = await openFiles(settings, options);
  if (device.gpu && source.initialize === undefined) await checkWeights(config, directory); // not only when its turn comes
  const none = new Weights(device, "f32", []);
  const model = new QwenVLModel(config, none);
  const { signal, onPhase } = options;
  return {
    policy: new QwenVLPolicy(model, processor),
    async use(work) {
      try {
        onPhase?.("load teacher");
        device.trim(); // buffers that the student left for reuse would lie beside the weights
        model.weights = await weightsOf(device, config, directory, settings, { signal, seed: 0, frozen: true });
        onPhase?.("teacher");
        return await work();
      } finally {
        model.weights.dispose();
        model.weights = none;
        device.trim();
        onPhase?.("penalty");
      }
    },
  };
}

async function openFiles(
  settings: ModelSource,
  options: Pick<ModelOptions, "signal" | "onPhase">,
): Promise<{ directory: string; config: QwenVLConfig; processor: Processor }> {
  const { minPixels, maxPixels } = settings;
  const directory = await modelDirectory(settings, options);
  const limits = { ...(minPixels !== undefined && { minPixels }), ...(maxPixels !== undefined && { maxPixels }) };
  return { directory, config: await loadConfig(directory), processor: await loadProcessor(directory, limits) };
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
  { frozen, signal, onPhase }: ModelOptions,
): Promise<Weights> {
  const trainable = (): boolean => !frozen && lora === undefined;
  if (device.gpu === undefined) {
    // A planning device holds no values: nothing is read but how matrices are stored.
    const held = dtype ?? (initialize === undefined ? await storedAs(directory, config) : "f32");
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
    signal,
    onProgress: ({ loadedBytes, totalBytes }) => onPhase?.(`load ${Math.floor((100 * loadedBytes) / totalBytes)} %`),
  });
}

/** A plan needs no weights: without them, what config.json announces. */
async function storedAs(directory: string, config: QwenVLConfig): Promise<"bf16" | "f32"> {
  const files = await readdir(directory);
  if (!files.some((name) => name.endsWith(".safetensors"))) return config.dtype === "bfloat16" ? "bf16" : "f32";
  await using reader = await openSafetensors(directory);
  const matrices = [...reader.tensors.values()].filter(({ shape }) => shape.length >= 2);
  return matrices.some(({ dtype }) => dtype === "BF16") ? "bf16" : "f32";
}

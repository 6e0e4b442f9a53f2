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

/** Makes what it is for true, awaits `work`, and undoes it, whether or not `work` succeeds. One at a time. */
export type During = <T>(work: () => Promise<T>) => Promise<T>;

type Loading = Pick<ModelOptions, "signal" | "onPhase">;

/**
 * A frozen policy whose weights are on the device only during `present`; in between they are the operating system's to keep, as pages of
 * their files. @throws as `openPolicy`; `present` too, and the reason of `signal`
 */
export async function openPolicyInTurns(
  device: Device,
  source: ModelSource,
  options: Loading,
): Promise<{ readonly policy: QwenVLPolicy; readonly present: During }> {
  const { directory, config, processor } = await openFiles(source, options);
  if (device.gpu && source.initialize === undefined) await checkWeights(config, directory); // not only when its turn comes
  const model = new QwenVLModel(config, new Weights(device, "f32", []));
  const { leave, comeBack } = turnsOf(model, directory, { ...source, recompute: false }, options);
  return {
    policy: new QwenVLPolicy(model, processor),
    async present(work) {
      try {
        await comeBack();
        return await work();
      } finally {
        leave();
      }
    },
  };
}

/** For a policy of which only an adapter is trained: its other weights are off the device during `absent`. @throws as `openPolicy` */
export async function frozenWeightsInTurns(
  { model }: QwenVLPolicy,
  settings: ModelSettings,
  options: Loading,
): Promise<During> {
  const { leave, comeBack } = turnsOf(model, await modelDirectory(settings, options), settings, options);
  return async (work) => {
    leave();
    try {
      return await work();
    } finally {
      await comeBack();
    }
  };
}

/** Idle buffers go with the weights: kept for reuse they would lie beside those of the other model. */
function turnsOf(
  model: QwenVLModel,
  directory: string,
  settings: ModelSettings,
  { signal }: Loading,
): { leave(): void; comeBack(): Promise<void> } {
  const { device, config } = model;
  return {
    leave() {
      model.weights.dispose();
      model.weights = new Weights(device, "f32", []);
      device.trim();
    },
    async comeBack() {
      device.trim();
      model.weights = await weightsOf(device, config, directory, settings, { signal, seed: 0, frozen: true });
    },
  };
}

async function openFiles(
  settings: ModelSource,
  options: Loading,
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

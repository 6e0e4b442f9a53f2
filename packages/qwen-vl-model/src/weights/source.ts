// The weights that a model's settings name: read again whenever the device has room for them.
import { readdir } from "node:fs/promises";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import type { ModelSource } from "../config/model-settings.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { openCheckpoint, storedDType } from "./checkpoint.ts";
import { initializeWeights } from "./initialize.ts";
import { checkWeights, loadWeights } from "./load.ts";
import { Weights } from "./weights.ts";

export interface WeightSourceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Hears how far loading is: `load 40 %`. */
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** How weights are held, and those that come from no file. */
type HeldAs = Pick<ModelSource, "dtype" | "base" | "initialize">;

export class WeightSource {
  readonly #device: Device;
  readonly #config: QwenVLConfig;
  readonly #directory: string;
  readonly #settings: HeldAs;
  readonly #options: WeightSourceOptions;

  constructor(device: Device, config: QwenVLConfig, directory: string, settings: HeldAs, options: WeightSourceOptions) {
    this.#device = device;
    this.#config = config;
    this.#directory = directory;
    this.#settings = settings;
    this.#options = options;
  }

  /** Finds out early what `load` would refuse. @throws as `loadWeights` */
  async check(): Promise<void> {
    if (this.#device.gpu && this.#settings.initialize === undefined) await checkWeights(this.#config, this.#directory);
  }

  /** @throws as `loadWeights` */
  async load({ trained, quiet = false }: { readonly trained: boolean; readonly quiet?: boolean }): Promise<Weights> {
    const { dtype, base, initialize } = this.#settings;
    const { signal, onPhase } = this.#options;
    const trainable = (): boolean => trained;
    if (this.#device.gpu === undefined) {
      // A planning device holds no values: nothing is read but how matrices are stored.
      const held = dtype ?? (initialize === undefined ? await storedAs(this.#directory, this.#config) : "f32");
      return Weights.allocate(this.#device, this.#config, held, trainable, base);
    }
    if (initialize !== undefined) {
      const options = { ...(dtype && { dtype }), trainable, base, deviation: "fan_in" } as const;
      return initializeWeights(this.#device, this.#config, deriveSeed("model", initialize), options);
    }
    return loadWeights(this.#device, this.#config, this.#directory, {
      ...{ dtype, trainable, base, signal },
      onProgress: ({ loadedBytes, totalBytes }) => {
        if (!quiet) onPhase?.(`load ${Math.floor((100 * loadedBytes) / totalBytes)} %`);
      },
    });
  }
}

/** A plan needs no weights: without them, what config.json announces. */
async function storedAs(directory: string, config: QwenVLConfig): Promise<"bf16" | "f32"> {
  const files = await readdir(directory);
  if (!files.some((name) => name.endsWith(".safetensors"))) return config.dtype === "bfloat16" ? "bf16" : "f32";
  await using reader = await openCheckpoint(directory);
  return storedDType(reader.tensors.values());
}

// From a directory, a hub id or a model's settings to the parts of a policy.
import { adapterAdvice, type Device, deriveSeed, TensorError } from "@iapo/tensor-core";
import { loadConfig } from "../config/model-config.ts";
import type { ModelSettings, ModelSource } from "../config/model-settings.ts";
import { tensorTable } from "../config/tensor-table.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { resolveModel } from "../hub/index.ts";
import { Adapter, TEXT_PROJECTIONS } from "../lora/adapter.ts";
import { QwenVLModel } from "../model/model.ts";
import { loadProcessor } from "../processor/load.ts";
import type { Processor } from "../processor/processor.ts";
import { WeightSource, type WeightSourceOptions } from "../weights/source.ts";
import { Weights } from "../weights/weights.ts";

export interface LoadPolicyOptions extends Partial<Omit<ModelSettings, "directory" | "hub">>, WeightSourceOptions {
  /** Nothing of it is trained. Default false: without `lora`, all weights are. */
  readonly frozen?: boolean | undefined;
  /** Where the weights are: on the device from now on (default), or only while `withWeights` runs. Those are frozen. */
  readonly residence?: "resident" | "turns" | undefined;
  /** Of a fresh adapter; default 0. */
  readonly seed?: number | undefined;
}

export interface LoadedPolicy {
  readonly model: QwenVLModel;
  readonly processor: Processor;
  readonly weights: WeightSource;
}

/** The local directory; a model of a hub is downloaded. @throws QwenVLError */
export async function modelDirectory(
  source: string | ModelSource,
  { signal, onPhase }: WeightSourceOptions = {},
): Promise<string> {
  const { directory, hub } =
    typeof source === "string" ? { directory: undefined, hub: { repository: source } } : source;
  if (directory !== undefined) return directory;
  const { repository = "", revision }: Partial<NonNullable<ModelSource["hub"]>> = hub ?? {};
  return resolveModel(repository, {
    ...(revision !== undefined && { revision }),
    ...(signal && { signal }),
    onProgress: ({ bytes, total }) => onPhase?.(`download ${Math.floor((100 * bytes) / total)} %`),
  });
}

export async function loadPolicyParts(
  device: Device,
  source: string | (ModelSource & Partial<ModelSettings>),
  options: LoadPolicyOptions,
): Promise<LoadedPolicy> {
  const settings = { ...(typeof source === "string" ? {} : source), ...options };
  const { lora, frozen = false, residence = "resident", seed = 0, minPixels, maxPixels } = settings;
  const isTrained = !frozen && lora === undefined && residence === "resident";
  if (settings.base === "int8" && isTrained)
    throw new QwenVLError("config", "base: int8 holds weights that stay as they are: train an adapter (lora) on them");
  const directory = await modelDirectory(source, options);
  const config = await loadConfig(directory);
  refuseHiddenCard(device, config);
  const processor = await loadProcessor(directory, { minPixels, maxPixels });
  const weights = new WeightSource(device, config, directory, settings, options);
  if (residence === "turns") {
    await weights.check(); // not only when its turn comes
    return { model: new QwenVLModel(config, new Weights(device, "f32", [])), processor, weights };
  }
  const loaded = await weights.load({ trained: isTrained });
  try {
    const targets = lora?.targets ?? TEXT_PROJECTIONS;
    const adapter = lora && Adapter.create(device, config, { ...lora, targets }, deriveSeed("adapter", seed));
    return { model: new QwenVLModel(config, loaded, adapter), processor, weights };
  } catch (error) {
    loaded.dispose();
    throw error;
  }
}

/** Weights of a model that a CPU would take days for. */
const LARGE = 1e8;

/** A software adapter on a machine with a graphics card is a driver that is missing, not a choice. @throws TensorError `no_adapter` */
function refuseHiddenCard({ gpu, facts }: Device, config: QwenVLConfig): void {
  const count = tensorTable(config).reduce(
    (sum, { shape }) => sum + shape.reduce((size, length) => size * length, 1),
    0,
  );
  if (!gpu || facts.cardBeside === null || count < LARGE) return;
  throw new TensorError(
    "no_adapter",
    `a model of ${(count / 1e9).toFixed(1)} billion weights would run on the CPU (${facts.device}), though ${facts.cardBeside} shows a graphics card: its Vulkan driver is not found. ` +
      `${adapterAdvice()} To run on the CPU all the same, choose it: --adapter llvmpipe, or IAPO_ADAPTER.`,
  );
}

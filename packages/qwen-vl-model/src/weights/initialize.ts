// Random weights, for models that are trained from nothing.
import { type Device, deriveSeed, randomWords, type Seed } from "@iapo/tensor-core";
import { rowsOf } from "../checked.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { fill } from "./load.ts";
import { type RunDType, type Weight, Weights } from "./weights.ts";

export interface InitializeOptions {
  readonly dtype?: RunDType;
  readonly trainable?: (name: string) => boolean;
  /** As in {@link LoadWeightsOptions}. */
  readonly base?: "int8" | undefined;
  /**
   * Deviation of the embedding's and the matrices' values; default 0.02, as Hugging Face's `initializer_range`. `fan_in` is 1 / sqrt(columns) of
   * each matrix, with which a narrow model learns sooner.
   */
  readonly deviation?: number | "fan_in";
}

/** Elements made at once. */
const PIECE = 1 << 20;

/** Weights of `config` as a function of `seed` alone: matrices normal, norms one, biases zero. */
export function initializeWeights(
  device: Device,
  config: QwenVLConfig,
  seed: Seed,
  options: InitializeOptions = {},
): Weights {
  const { dtype = "f32", deviation = 0.02 } = options;
  const weights = Weights.allocate(device, config, dtype, options.trainable, options.base);
  try {
    for (const weight of weights) fillRandom(weight, seed, dtype, deviation);
  } catch (error) {
    weights.dispose();
    throw error;
  }
  return weights;
}

function fillRandom(
  weight: Weight,
  seed: Seed,
  dtype: RunDType,
  deviation: NonNullable<InitializeOptions["deviation"]>,
): void {
  const { name, shape } = weight;
  const vector = shape.length === 1;
  const size = shape.reduce((product, length) => product * length, 1);
  const spread = deviation === "fan_in" ? 1 / Math.sqrt(size / rowsOf(weight)) : deviation;
  for (let start = 0; start < size; start += PIECE) {
    const count = Math.min(PIECE, size - start);
    const values = vector
      ? new Float32Array(count).fill(name.endsWith(".bias") ? 0 : 1)
      : normals(count, deriveSeed(...seed, name, start), spread);
    fill(weight, values, start, dtype);
  }
}

/** Box and Muller on the CPU: the same bits on every machine. */
function normals(count: number, seed: Seed, deviation: number): Float32Array {
  const words = randomWords(2 * count, seed);
  return Float32Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(((words[2 * i] ?? 0) + 1) / 2 ** 32));
    return deviation * radius * Math.cos((2 * Math.PI * (words[2 * i + 1] ?? 0)) / 2 ** 32);
  });
}

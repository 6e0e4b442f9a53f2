// Low-rank adapters (Hu et al. 2021): y += (alpha / rank) * (x A^T) B^T, A [rank, in] random, B [out, rank] zero at the start.
import {
  add,
  type Device,
  deriveSeed,
  multiply,
  randomUniform,
  type Seed,
  scope,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import type { QwenVLConfig } from "../config/model-config.ts";
import { tensorTable } from "../config/tensor-table.ts";
import { QwenVLError } from "../error.ts";
import type { TrainableWeight } from "../weights/weights.ts";

export interface AdapterOptions {
  readonly rank: number;
  /** The update is scaled by `alpha / rank`. */
  readonly alpha: number;
  /**
   * Which projections get a pair: names of modules as PEFT takes them ("q_proj": every module whose last name part it is, or a dotted
   * end of the module's name), or a regular expression over the whole name.
   */
  readonly targets: readonly string[] | RegExp;
}

/** One adapted projection. */
export interface AdapterPair {
  /** `[rank, in]`. */
  readonly a: TrainableWeight;
  /** `[out, rank]`. */
  readonly b: TrainableWeight;
}

/** The targets used by the published recipes: all projections of the text decoder. */
export const TEXT_PROJECTIONS: RegExp = /^model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)$/;

export class Adapter {
  readonly options: AdapterOptions;
  readonly scale: number;
  /** By the projection's published name without `.weight`. */
  readonly pairs: ReadonlyMap<string, AdapterPair>;

  constructor(options: AdapterOptions, pairs: ReadonlyMap<string, AdapterPair>) {
    this.options = options;
    this.scale = options.alpha / options.rank;
    this.pairs = pairs;
  }

  /**
   * A fresh adapter that changes nothing yet: A uniform in ±1 / sqrt(in) (Kaiming uniform with a = sqrt(5), as PEFT starts it), B zero.
   * Throws `config` when no projection matches.
   */
  static create(device: Device, config: QwenVLConfig, options: AdapterOptions, seed: Seed): Adapter {
    const { rank } = options;
    const made = scope(() =>
      targetsOf(config, options).map(({ name, out, input }) =>
        withTag("adapter", (): [string, AdapterPair] => {
          const a = initialA(device, [rank, input], deriveSeed(...seed, name));
          const b = device.tensor(new Float32Array(out * rank), [out, rank]);
          return [name, { a: trainable(`${name}.lora_A.weight`, a), b: trainable(`${name}.lora_B.weight`, b) }];
        }),
      ),
    );
    return new Adapter(options, new Map(made));
  }

  /** All adapter matrices, in the order of the projections, A before B. */
  get parameters(): TrainableWeight[] {
    return [...this.pairs.values()].flatMap(({ a, b }) => [a, b]);
  }

  dispose(): void {
    for (const { run } of this.parameters) run.dispose();
  }
}

/** Matrices that are no projection within the model. The patch embedding, a convolution, is none either. */
const NOT_ADAPTED: ReadonlySet<string> = new Set(["model.embed_tokens", "lm_head"]);

/** The projections that `options.targets` names, with their sizes. */
export function targetsOf(
  config: QwenVLConfig,
  options: AdapterOptions,
): { name: string; out: number; input: number }[] {
  const { rank, targets } = options;
  if (!Number.isInteger(rank) || rank < 1)
    throw new QwenVLError("config", `a LoRA rank is a whole number of at least 1, not ${rank}`);
  const matches = (name: string): boolean =>
    targets instanceof RegExp
      ? name.search(targets) >= 0
      : targets.some((end) => name === end || name.endsWith(`.${end}`));
  const found = tensorTable(config)
    .filter(({ shape }) => shape.length === 2)
    .map(({ name, shape }) => ({ name: name.replace(/\.weight$/, ""), out: shape[0]!, input: shape[1]! }))
    .filter(({ name }) => !NOT_ADAPTED.has(name) && matches(name));
  if (found.length === 0) throw new QwenVLError("config", `no projection matches the LoRA targets ${String(targets)}`);
  return found;
}

/** An adapter matrix, which is its own master. */
export function trainable(name: string, run: Tensor): TrainableWeight {
  return { name, shape: run.shape, run, master: run };
}

function initialA(device: Device, shape: readonly [rank: number, input: number], seed: Seed): Tensor {
  const bound = 1 / Math.sqrt(shape[1]);
  return scope(() => add(multiply(randomUniform(device, shape, seed), 2 * bound), -bound));
}

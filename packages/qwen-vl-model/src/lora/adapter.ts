// Low-rank adapters (Hu et al. 2021): y += (alpha / rank) * (x A^T) B^T, A [rank, in] random, B [out, rank] zero at the start.
import {
  add,
  type Device,
  deriveSeed,
  emptyPack,
  multiply,
  randomUniform,
  type Seed,
  scope,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import { at } from "../checked.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { siblingGroups } from "../model/siblings.ts";
import type { TrainableWeight } from "../weights/weights.ts";
import { type LoraTargets, targetsOf } from "./targets.ts";

export interface AdapterOptions {
  readonly rank: number;
  /** The update is scaled by `alpha / rank`. */
  readonly alpha: number;
  /** By `alpha / sqrt(rank)` instead (rsLoRA, Kalajdzievski 2023). */
  readonly rankStabilized?: boolean | undefined;
  /** Which projections get a pair. */
  readonly targets: LoraTargets;
}

/** One adapted projection. */
export interface AdapterPair {
  /** `[rank, in]`. */
  readonly a: TrainableWeight;
  /** `[out, rank]`. */
  readonly b: TrainableWeight;
  readonly rank: number;
  readonly alpha: number;
  /** What the update is multiplied by. */
  readonly scale: number;
}

/** The factor of an update. */
export function scaleOf({ rank, alpha, rankStabilized }: Omit<AdapterOptions, "targets">): number {
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/** The targets used by the published recipes: all projections of the text decoder. */
export const TEXT_PROJECTIONS: RegExp = /^model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)$/;

export class Adapter {
  /** Where a pair has a rank or an alpha of its own, those of the others. */
  readonly options: AdapterOptions;
  /** What updates are multiplied by, of pairs without a rank or an alpha of their own. */
  readonly scale: number;
  /** By the projection's published name without `.weight`. */
  readonly pairs: ReadonlyMap<string, AdapterPair>;
  /** Whole matrices that stand for those of the model while the adapter is on, by published name; not trained. PEFT's `modules_to_save`. */
  readonly replaced: ReadonlyMap<string, Tensor>;

  constructor(
    options: AdapterOptions,
    pairs: ReadonlyMap<string, AdapterPair>,
    replaced: ReadonlyMap<string, Tensor> = new Map(),
  ) {
    this.options = options;
    this.scale = scaleOf(options);
    this.pairs = pairs;
    this.replaced = replaced;
  }

  /**
   * A fresh adapter that changes nothing yet: A uniform in ±1 / sqrt(in) (Kaiming uniform with a = sqrt(5), as PEFT starts it), B zero.
   * @throws QwenVLError `config` for options that cannot be and for targets that name nothing
   */
  static create(device: Device, config: QwenVLConfig, options: AdapterOptions, seed: Seed): Adapter {
    const { rank, alpha } = options;
    if (!Number.isInteger(rank) || rank < 1)
      throw new QwenVLError("config", `a LoRA rank is a whole number of at least 1, not ${rank}`);
    if (!(alpha > 0 && Number.isFinite(alpha)))
      throw new QwenVLError("config", `a LoRA alpha is a number above 0, not ${alpha}`);
    const scale = scaleOf(options);
    const made = scope(() =>
      sideBySide(
        targetsOf(config, options.targets).map(({ name, out, input }) =>
          withTag("adapter", (): [string, AdapterPair] => {
            const a = initialA(device, [rank, input], deriveSeed(...seed, name));
            const b = device.tensor(new Float32Array(out * rank), [out, rank]);
            const matrices = { a: trainable(`${name}.lora_A.weight`, a), b: trainable(`${name}.lora_B.weight`, b) };
            return [name, { ...matrices, rank, alpha, scale }];
          }),
        ),
      ),
    );
    return new Adapter(options, made);
  }

  /** All adapter matrices, in the order of the projections, A before B. */
  get parameters(): TrainableWeight[] {
    return [...this.pairs.values()].flatMap(({ a, b }) => [a, b]);
  }

  dispose(): void {
    for (const { run } of this.parameters) run.dispose();
    for (const matrix of new Set(this.replaced.values())) matrix.dispose();
  }
}

/** Bytes of siblings' matrices that share a buffer with others. */
const MOST_PACKED = 2 ** 25;

/** The pairs with their matrices in few buffers, those of siblings side by side where they can: they are copies, and the given ones are still their owner's. */
export function sideBySide(pairs: Iterable<readonly [string, AdapterPair]>): Map<string, AdapterPair> {
  const all = new Map(pairs);
  const groups = siblingGroups(all.keys()).flatMap((names) =>
    (["a", "b"] as const).map((part) =>
      names.flatMap((name) => {
        const pair = all.get(name);
        return pair ? [{ name, part, matrix: pair[part] }] : [];
      }),
    ),
  );
  const small = groups.filter(
    (group) =>
      group.every(({ matrix }) => matrix.run.dtype === "f32" && !matrix.run.shards) &&
      group.reduce((sum, { matrix }) => sum + matrix.run.bytes, 0) <= MOST_PACKED,
  );
  const device = small[0]?.[0]?.matrix.run.device;
  if (!device) return all;
  const shapes = small.map((group) => group.map(({ matrix }) => matrix.run.shape));
  const made = withTag("adapter", () => emptyPack(device, shapes, "f32"));
  for (const [i, { name, part, matrix }] of small.flat().entries()) {
    const [copy, pair] = [at(made, i), all.get(name)];
    device.copyBytes(matrix.run, 0, copy, 0, copy.bytes);
    if (pair) all.set(name, { ...pair, [part]: trainable(matrix.name, copy) });
  }
  return all;
}

/** An adapter matrix, which is its own master. */
export function trainable(name: string, run: Tensor): TrainableWeight {
  return { name, shape: run.shape, run, master: run };
}

function initialA(device: Device, shape: readonly [rank: number, input: number], seed: Seed): Tensor {
  const bound = 1 / Math.sqrt(shape[1]);
  return scope(() => add(multiply(randomUniform(device, shape, seed), 2 * bound), -bound));
}

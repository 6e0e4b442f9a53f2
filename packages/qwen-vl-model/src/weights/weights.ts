// The weights of a model: masters (f32, where trainable), the run copies that every forward pass reads, and their names.
import {
  cast,
  castInto,
  type Device,
  type DType,
  emptyAlike,
  emptyPack,
  emptyStack,
  int8Group,
  noGrad,
  scope,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import { at } from "../checked.ts";
import { tensorTable } from "../config/tensor-table.ts";
import type { QwenVLConfig, TensorSpec } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { siblingGroups } from "../model/siblings.ts";

/** How matrices are held for the forward pass. Vectors are always f32 (rounded to bf16 first, where matrices are bf16). */
export type RunDType = "f32" | "bf16";

/** A tensor of the model. */
export interface Weight {
  /** Published name. */
  readonly name: string;
  /** Published shape; the tensors below are 2-D `[out, in]` or 1-D. */
  readonly shape: readonly number[];
  /** What forward passes read. */
  readonly run: Tensor;
  /** Of a frozen matrix in eight bits, whose `run` are its values: u32 [out, in / 4]. */
  readonly scales?: Tensor | undefined;
  /** What the optimizer updates: the run copy itself where that is f32 and unrounded, absent where the weight is frozen. */
  master: Tensor | undefined;
}

/** A weight that is trained. */
export interface TrainableWeight extends Weight {
  readonly master: Tensor;
}

/** What may be held in eight bits: the projections of the text decoder, where a group of neighbors divides their rows. Embedding, head and vision stay. */
const INT8_NAME = /^model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)\.weight$/;

/** Elements that share a scale where a tensor is held in eight bits; undefined where it is not. */
function int8GroupOf(name: string, [, width = 0]: readonly number[]): number | undefined {
  return INT8_NAME.test(name) ? int8Group(width) : undefined;
}

/** `[out, in]` of a published shape: the patch embedding's `[d, 3, 2, p, p]` is a matrix too. */
function storedShape(shape: readonly number[]): readonly number[] {
  const [rows = 1, ...columns] = shape;
  return shape.length <= 2 ? shape : [rows, columns.reduce((a, b) => a * b, 1)];
}

/** Rewrites a run copy from its master, to the bits that an optimizer step leaves: for masters that come from a checkpoint. */
export function refreshRunCopy({ run, master }: Weight): void {
  if (!master || master === run) return;
  noGrad(() => scope(() => castInto(run, run.dtype === "bf16" ? master : cast(master, "bf16"))));
}

export class Weights {
  readonly device: Device;
  readonly dtype: RunDType;
  readonly #byName: ReadonlyMap<string, Weight>;

  constructor(device: Device, dtype: RunDType, weights: Iterable<Weight>) {
    this.device = device;
    this.dtype = dtype;
    this.#byName = new Map([...weights].map((weight) => [weight.name, weight]));
  }

  /**
   * Room for every tensor of `config`, contents undefined. Trainable names get an f32 master; where `base` is `int8`, other projections of the decoder
   * are held in eight bits. Throws `out_of_memory`, keeping nothing.
   */
  static allocate(
    device: Device,
    config: QwenVLConfig,
    dtype: RunDType,
    trainable: (name: string) => boolean = () => false,
    base?: "int8",
  ): Weights {
    const groupOf = (name: string, shape: readonly number[]): number | undefined =>
      base === "int8" && !trainable(name) ? int8GroupOf(name, storedShape(shape)) : undefined;
    const weights = scope(() => {
      const table = tensorTable(config);
      const runs = runCopies(
        device,
        table.filter(({ name, shape }) => groupOf(name, shape) === undefined),
        dtype,
      );
      const trained = [...runs].filter(([name]) => trainable(name));
      const masters = dtype === "bf16" ? mastersOf(trained) : new Map(trained);
      return table.map(({ name, shape }): Weight => {
        const group = groupOf(name, shape);
        if (group !== undefined) return { name, shape, master: undefined, ...int8Of(device, shape, group) };
        return { name, shape, run: found(runs, name), master: masters.get(name) };
      });
    });
    return new Weights(device, dtype, weights);
  }

  /** The run copy of a published name. Throws `tensors` for an unknown one. */
  get(name: string): Tensor {
    return this.weight(name).run;
  }

  weight(name: string): Weight {
    return found(this.#byName, name);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  [Symbol.iterator](): IterableIterator<Weight> {
    return this.#byName.values();
  }

  get trainable(): TrainableWeight[] {
    return [...this].filter((weight): weight is TrainableWeight => weight.master !== undefined);
  }

  dispose(): void {
    for (const { run, scales, master } of this) {
      run.dispose();
      scales?.dispose();
      master?.dispose();
    }
  }
}

function found<T>(byName: ReadonlyMap<string, T>, name: string): T {
  const value = byName.get(name);
  if (value === undefined) throw new QwenVLError("tensors", `this model has no tensor ${JSON.stringify(name)}`);
  return value;
}

/** f32 twins of run copies by name, side by side where these are. */
function mastersOf(runs: readonly (readonly [string, Tensor])[]): Map<string, Tensor> {
  const made = withTag("masters", () => emptyAlike(runs.map(([, run]) => run)));
  return new Map(runs.map(([name], i) => [name, at(made, i)]));
}

/** Bytes, in f32, of siblings that share a buffer with others: an optimizer's dispatch for larger ones alone is little beside its work. */
const MOST_PACKED = 2 ** 20;

/** Room for run copies by name. Those of siblings lie side by side where they can, and small ones with others. */
function runCopies(device: Device, table: readonly TensorSpec[], dtype: RunDType): Map<string, Tensor> {
  const shapes = new Map(table.map(({ name, shape }) => [name, storedShape(shape)]));
  const runs = new Map<string, Tensor>();
  const small = new Map<DType, string[][]>();
  const most = Math.min(MOST_PACKED, device.facts.maxBinding);
  for (const names of siblingGroups(shapes.keys())) {
    const group = names.map((name) => found(shapes, name));
    const kind: DType = group[0]?.length === 2 ? dtype : "f32";
    const sizes = group.map((shape) => shape.reduce((bytes, size) => bytes * size, 4));
    const areWhole = sizes.every((bytes) => bytes <= device.facts.maxBinding); // as `emptyOf`
    if (sizes.reduce((sum, bytes) => sum + bytes, 0) <= most) {
      small.set(kind, [...(small.get(kind) ?? []), names]);
      continue;
    }
    const made = withTag(
      "weights",
      () =>
        (areWhole ? emptyStack(device, group, kind) : undefined) ?? group.map((shape) => emptyOf(device, shape, kind)),
    );
    for (const [i, name] of names.entries()) runs.set(name, at(made, i));
  }
  for (const [kind, groups] of small) {
    const packed = groups.map((names) => names.map((name) => found(shapes, name)));
    const made = withTag("weights", () => emptyPack(device, packed, kind));
    for (const [i, name] of groups.flat().entries()) runs.set(name, at(made, i));
  }
  return runs;
}

function int8Of(
  device: Device,
  [rows = 0, columns = 0]: readonly number[],
  group: number,
): { readonly run: Tensor; readonly scales: Tensor } {
  return withTag("weights", () => ({
    run: device.empty([rows, columns / 4], "u32"),
    scales: device.empty([rows, columns / group]),
  }));
}

/** A bf16 matrix is cut where its f32 twins (master, gradient, moments) have to be: all have the same row shards. */
export function emptyOf(device: Device, shape: readonly number[], dtype: DType): Tensor {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined) return device.empty(shape, dtype);
  const shardBytes = device.facts.maxBinding / (dtype === "bf16" ? 2 : 1);
  return device.emptyMatrix([rows, columns], dtype, shardBytes);
}

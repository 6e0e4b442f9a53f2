// The weights of a model: masters (f32, where trainable), the run copies that every forward pass reads, and their names.
import {
  cast,
  castInto,
  type Device,
  type DType,
  emptyStack,
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
  /** What the optimizer updates: the run copy itself where that is f32 and unrounded, absent where the weight is frozen. */
  master: Tensor | undefined;
}

/** A weight that is trained. */
export interface TrainableWeight extends Weight {
  readonly master: Tensor;
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

  /** Room for every tensor of `config`, contents undefined. Trainable names get an f32 master. Throws `out_of_memory`, keeping nothing. */
  static allocate(
    device: Device,
    config: QwenVLConfig,
    dtype: RunDType,
    trainable: (name: string) => boolean = () => false,
  ): Weights {
    const weights = scope(() => {
      const table = tensorTable(config);
      const runs = runCopies(device, table, dtype);
      return table.map(({ name, shape }): Weight => {
        const run = found(runs, name);
        const own = trainable(name) && dtype === "bf16";
        const master = own
          ? withTag("masters", () => emptyOf(device, storedShape(shape), "f32"))
          : trainable(name)
            ? run
            : undefined;
        return { name, shape, run, master };
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
    for (const { run, master } of this) {
      run.dispose();
      master?.dispose();
    }
  }
}

function found<T>(byName: ReadonlyMap<string, T>, name: string): T {
  const value = byName.get(name);
  if (value === undefined) throw new QwenVLError("tensors", `this model has no tensor ${JSON.stringify(name)}`);
  return value;
}

/** Room for run copies by name; those of siblings lie side by side where they can. */
function runCopies(device: Device, table: readonly TensorSpec[], dtype: RunDType): Map<string, Tensor> {
  const shapes = new Map(table.map(({ name, shape }) => [name, storedShape(shape)]));
  const runs = new Map<string, Tensor>();
  for (const names of siblingGroups(shapes.keys())) {
    const group = names.map((name) => found(shapes, name));
    const kind: DType = group[0]?.length === 2 ? dtype : "f32";
    const made = withTag(
      "weights",
      () => emptyStack(device, group, kind) ?? group.map((shape) => emptyOf(device, shape, kind)),
    );
    for (const [i, name] of names.entries()) runs.set(name, at(made, i));
  }
  return runs;
}

/** A bf16 matrix is cut where its f32 twins (master, gradient, moments) have to be: all have the same row shards. */
export function emptyOf(device: Device, shape: readonly number[], dtype: DType): Tensor {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined) return device.empty(shape, dtype);
  const shardBytes = device.facts.maxBinding / (dtype === "bf16" ? 2 : 1);
  return device.emptyMatrix([rows, columns], dtype, shardBytes);
}

// The weights of a model: masters (f32, where trainable), the run copies that every forward pass reads, and their names.
import { cast, castInto, type Device, type DType, noGrad, scope, type Tensor, withTag } from "@iapo/tensor-core";
import { tensorTable } from "../config/tensor-table.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";

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
    const weights = scope(() =>
      tensorTable(config).map(({ name, shape }) => {
        const stored = storedShape(shape);
        const kind: DType = stored.length === 2 ? dtype : "f32";
        const run = withTag("weights", () => emptyOf(device, stored, kind));
        const own = trainable(name) && dtype === "bf16";
        const master = own
          ? withTag("masters", () => emptyOf(device, stored, "f32"))
          : trainable(name)
            ? run
            : undefined;
        return { name, shape, run, master };
      }),
    );
    return new Weights(device, dtype, weights);
  }

  /** The run copy of a published name. Throws `tensors` for an unknown one. */
  get(name: string): Tensor {
    return this.weight(name).run;
  }

  weight(name: string): Weight {
    const found = this.#byName.get(name);
    if (!found) throw new QwenVLError("tensors", `this model has no tensor ${JSON.stringify(name)}`);
    return found;
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

/** A bf16 matrix is cut where its f32 twins (master, gradient, moments) have to be: all have the same row shards. */
export function emptyOf(device: Device, shape: readonly number[], dtype: DType): Tensor {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined) return device.empty(shape, dtype);
  const shardBytes = device.facts.maxBinding / (dtype === "bf16" ? 2 : 1);
  return device.emptyMatrix([rows, columns], dtype, shardBytes);
}

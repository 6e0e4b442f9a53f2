// An adapter folded into the weights it adapts: W + scale * B A, rounded to the weights' dtype.
import {
  add,
  cast,
  castInto,
  matmul,
  multiply,
  noGrad,
  rowRange,
  scope,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import { type Weight, Weights } from "../weights/weights.ts";
import type { Adapter } from "./adapter.ts";

/** Rows are merged by multiples of this, which start at a byte that a binding may start at. */
const ROW_STEP = 256;
/** Bytes of f32 sums at once, or one step's where that is more: a bf16 matrix at the binding limit has an f32 twin beyond it. */
const SUM_BYTES = 32 * 2 ** 20;

/**
 * The run copies of a model with `adapter` merged in, in tensors of their own: what an export of it holds. Matrices without an adapter
 * share their storage with `weights`. The caller disposes the result.
 */
export function mergedWeights(weights: Weights, adapter: Adapter | undefined): Weights {
  const merged = scope(() =>
    [...weights].map((weight): Weight => ({ ...weight, run: mergedRun(weight, adapter), master: undefined })),
  );
  return new Weights(weights.device, weights.dtype, merged);
}

/** One weight with `adapter` merged in; an alias of its run copy where the adapter does not touch it. */
export function mergedRun({ name, run }: Weight, adapter: Adapter | undefined): Tensor {
  const pair = adapter?.pairs.get(name.replace(/\.weight$/, ""));
  if (!adapter || !pair) return run.alias();
  return noGrad(() => scope(() => mergedMatrix(run, pair.a.run, pair.b.run, adapter.scale)));
}

function mergedMatrix(base: Tensor, a: Tensor, b: Tensor, factor: number): Tensor {
  const [rows, columns] = base.shape as [number, number];
  const shardBytes = base.parts()[0]!.tensor.bytes; // sharded as the base is
  const merged = withTag("weights", () => base.device.emptyMatrix([rows, columns], base.dtype, shardBytes));
  const step = Math.max(1, Math.floor(SUM_BYTES / (ROW_STEP * columns * 4))) * ROW_STEP;
  const targets = merged.parts();
  base.parts().forEach(({ start, tensor: part }, k) => {
    const count = part.shape[0]!;
    for (let from = 0; from < count; from += step) {
      const to = Math.min(from + step, count);
      scope(() => {
        const update = multiply(matmul(rowRange(b, start + from, start + to), a), factor);
        const sum = add(cast(rowRange(part, from, to), "f32"), update);
        castInto(rowRange(targets[k]!.tensor, from, to), sum);
      });
    }
  });
  return merged;
}

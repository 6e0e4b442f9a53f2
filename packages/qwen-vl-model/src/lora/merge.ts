// An adapter folded into the weights it adapts: W + scale * B A, rounded to the weights' dtype.
import {
  add,
  cast,
  castInto,
  type DType,
  matmul,
  multiply,
  noGrad,
  rowRange,
  scope,
  type Tensor,
  widenInt8,
  withTag,
} from "@iapo/tensor-core";
import { at, rowsOf } from "../checked.ts";
import { QwenVLError } from "../error.ts";
import { emptyOf, type RunDType, type Weight, Weights } from "../weights/weights.ts";
import type { Adapter, AdapterPair } from "./adapter.ts";

/** Rows are merged by multiples of this, which start at a byte that a binding may start at. */
const ROW_STEP = 256;
/** Bytes of f32 sums at once, or one step's where that is more: a bf16 matrix at the binding limit has an f32 twin beyond it. */
const SUM_BYTES = 32 * 2 ** 20;

/**
 * The run copies of a model with `adapter` merged in, in tensors of their own: what an export of it holds. Matrices without an adapter
 * share their storage with `weights`. The caller disposes the result. Throws `export` where a tied pair would no longer be one.
 */
export function mergedWeights(weights: Weights, adapter: Adapter | undefined): Weights {
  checkTies(weights, adapter);
  const merged = scope(() =>
    [...weights].map(({ name, shape, ...weight }): Weight => {
      const run = mergedRun({ name, shape, ...weight }, adapter, weights.dtype);
      return { name, shape, run, master: undefined };
    }),
  );
  return new Weights(weights.device, weights.dtype, merged);
}

/** An adapter may part a head from the embedding that it is tied to; one matrix cannot hold both. */
export function checkTies(weights: Weights, adapter: Adapter | undefined): void {
  const [embedding, head] = ["model.embed_tokens.weight", "lm_head.weight"].map((name) => adapter?.replaced.get(name));
  if (weights.has("lm_head.weight") || embedding === head) return;
  throw new QwenVLError(
    "export",
    "the adapter's modules_to_save part the embedding from the head that is tied to it: keep the adapter beside its base model",
  );
}

/**
 * One weight with `adapter` merged in; an alias of its run copy where the adapter does not touch it. What is held in eight bits is widened, which is
 * exact, and held as `dtype` says.
 */
export function mergedRun({ name, run, scales }: Weight, adapter: Adapter | undefined, dtype: RunDType): Tensor {
  const replaced = adapter?.replaced.get(name);
  const pair = adapter?.pairs.get(name.replace(/\.weight$/, ""));
  if (!replaced && !pair && !scales) return run.alias();
  return noGrad(() =>
    scope(() => {
      if (replaced) return heldAs(replaced, scales ? dtype : run.dtype);
      const base = scales ? widenInt8({ values: run, scales }, 0, rowsOf(run)) : run;
      return pair ? mergedMatrix(base, pair, scales ? dtype : run.dtype) : heldAs(base, dtype);
    }),
  );
}

function heldAs(matrix: Tensor, dtype: DType): Tensor {
  const result = withTag("weights", () => emptyOf(matrix.device, matrix.shape, dtype));
  castInto(result, matrix);
  return result;
}

function mergedMatrix(base: Tensor, { a, b, scale }: AdapterPair, dtype: DType): Tensor {
  const parts = base.parts();
  const columns = base.size / rowsOf(base);
  const shardRows = rowsOf(at(parts, 0).tensor); // sharded as the base is
  const shardBytes = shardRows * columns * (dtype === "bf16" ? 2 : 4);
  const merged = withTag("weights", () => base.device.emptyMatrix([rowsOf(base), columns], dtype, shardBytes));
  const step = Math.max(1, Math.floor(SUM_BYTES / (ROW_STEP * columns * 4))) * ROW_STEP;
  const targets = merged.parts();
  parts.forEach(({ start, tensor: part }, k) => {
    const count = rowsOf(part);
    for (let from = 0; from < count; from += step) {
      const to = Math.min(from + step, count);
      scope(() => {
        const update = multiply(matmul(rowRange(b.run, start + from, start + to), a.run), scale);
        const sum = add(cast(rowRange(part, from, to), "f32"), update);
        castInto(rowRange(at(targets, k).tensor, from, to), sum);
      });
    }
  });
  return merged;
}

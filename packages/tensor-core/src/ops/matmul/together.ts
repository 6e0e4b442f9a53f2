// Products of decoding: what stands side by side in one, with what is added to it. Not ops of the registry: they are on no tape. Their bits are those of
// the ops that they stand for.
import { matrixShape } from "../../checked.ts";
import type { Tensor } from "../../tensor.ts";
import { addInto } from "../add-into.ts";
import { finishes, matmulInto } from "./dispatch.ts";
import type { LowRank } from "./finish.ts";

/** An adapter's part of a product: its `down` is `x a^T`, of f32 `[adapters * rank, in]`. */
export interface LowRankUpdate extends Omit<LowRank, "down"> {
  readonly a: Tensor;
}

/** What is added to a product; `residual` is f32, of the output's shape. */
export interface TogetherOptions {
  readonly bias?: Tensor | undefined;
  readonly update?: LowRankUpdate | undefined;
  readonly residual?: Tensor | undefined;
}

/** Whether a product of so many rows by `weight` [out, in] takes an `update`: those of decoding do. */
export function takesUpdate(rows: number, weight: Tensor): boolean {
  const [n, k] = matrixShape(weight);
  return finishes(weight.device, { m: rows, n, k, b: weight });
}

/**
 * `residual + (x weight^T + bias + scale · (x a^T) up^T)`, each part where it is given: what `linear`, `addScaled` and `add` make one after the other.
 * x f32 `[rows, in]`, weight f32 or bf16 `[out, in]`. Throws `shape`, `dtype`, and `argument` for an update that the product does not take.
 */
export function linearTogether(x: Tensor, weight: Tensor, { bias, update, residual }: TogetherOptions): Tensor {
  const { device } = x;
  const [m, k] = matrixShape(x);
  const [n] = matrixShape(weight);
  const product = (b: Tensor, columns: number) =>
    ({ layout: "nt", a: x, b, out: device.empty([m, columns]), m, n: columns, k }) as const;
  const whole = product(weight, n);
  const call = bias ? { ...whole, bias } : whole;
  if (!update && !takesUpdate(m, weight)) {
    matmulInto(device, call);
    if (residual) addInto(call.out, residual);
    return call.out;
  }
  const down = update && product(update.a, update.a.shape[0] ?? 0);
  if (down) matmulInto(device, down);
  matmulInto(device, { ...call, finish: { residual, lowRank: update && down && { ...update, down: down.out } } });
  down?.out.dispose();
  return call.out;
}

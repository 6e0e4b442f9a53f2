// Products of decoding: what stands side by side in one, with what is added to it. Not ops of the registry: they are on no tape. Their bits are those of
// the ops that they stand for.
import { matrixShape, rowsOf } from "../../checked.ts";
import type { Tensor } from "../../tensor.ts";
import { addInto } from "../add-into.ts";
import { rmsNorm } from "../rms-norm.ts";
import { siluGateHalves } from "../silu-gate.ts";
import { addsResidual, finishes, gates, matmulInto, prepares } from "./dispatch.ts";
import type { LowRank } from "./finish.ts";
import type { Prologue } from "./prologue.ts";

/** An adapter's part of a product: its `down` is `x a^T`, of f32 `[adapters * rank, in]`. */
export interface LowRankUpdate extends Omit<LowRank, "down"> {
  readonly a: Tensor;
}

/** What is added to a product; `residual` is f32, of the output's shape. */
export interface TogetherOptions {
  readonly bias?: Tensor | undefined;
  readonly update?: LowRankUpdate | undefined;
  readonly residual?: Tensor | undefined;
  /** What x goes through first. */
  readonly prologue?: Prologue | undefined;
  /** The result `[rows, out / 2]` is `siluGateHalves` of the product, which then has neither bias nor residual. */
  readonly gate?: boolean;
}

/** Whether a product of so many rows by `weight` [out, in] takes an `update`: those of decoding do. */
export function takesUpdate(rows: number, weight: Tensor): boolean {
  const [n, k] = matrixShape(weight);
  return finishes(weight.device, { m: rows, n, k, b: weight });
}

/**
 * `residual + (x weight^T + bias + scale · (x a^T) up^T)`, each part where it is given: what `linear`, `addScaled` and `add` make one after the other, of
 * x behind its prologue. x f32 `[rows, in]`, weight f32 or bf16 `[out, in]`. Throws `shape`, `dtype`, and `argument` for an update that the product does
 * not take.
 */
export function linearTogether(x: Tensor, weight: Tensor, options: TogetherOptions): Tensor {
  const { bias, update, residual, prologue, gate = false } = options;
  const { device } = x;
  const [m, k] = matrixShape(x);
  const [n] = matrixShape(weight);
  const inKernel = [weight, ...(update ? [update.a] : [])].every((b) => prepares(device, { m, n: rowsOf(b), k, b }));
  if (prologue && !inKernel) {
    using normed = rmsNorm(x, prologue.weight, prologue.epsilon);
    return linearTogether(normed, weight, { bias, update, residual, gate });
  }
  if (gate && !gates(device, { m, n, k, b: weight })) {
    using both = linearTogether(x, weight, { bias, update, residual, prologue });
    return siluGateHalves(both);
  }
  const product = (b: Tensor, columns: number, width: number) =>
    ({ layout: "nt", a: x, b, out: device.empty([m, width]), m, n: columns, k, prologue }) as const;
  const whole = product(weight, n, gate ? n / 2 : n);
  const call = bias ? { ...whole, bias } : whole;
  if (!update && !gate && !addsResidual(device, { m, n, k, b: weight })) {
    matmulInto(device, call);
    if (residual) addInto(call.out, residual);
    return call.out;
  }
  const down = update && product(update.a, rowsOf(update.a), rowsOf(update.a));
  if (down) matmulInto(device, down);
  matmulInto(device, { ...call, finish: { residual, gate, lowRank: update && down && { ...update, down: down.out } } });
  down?.out.dispose();
  return call.out;
}

// What the losses' GPU halves share. tensor-core's ops are handed in, so that this folder loads no GPU code.
import type * as tensorCore from "@iapo/tensor-core";
import type { Tensor } from "@iapo/tensor-core";
import { maximumLogRatio } from "../math/ratios.ts";

/** The ops of `@iapo/tensor-core`. */
export type TensorOps = typeof tensorCore;

/** Ends the range of f32: stands for "no bound". */
export const LARGEST = 3e38;

/** `exp(log ratio)`, finite. */
export function ratioOf(logRatio: Tensor, { clamp, exp }: TensorOps): Tensor {
  return exp(clamp(logRatio, -LARGEST, maximumLogRatio));
}

/** The value of `x` without its gradient. */
export function detached(x: Tensor, { multiply, noGrad }: TensorOps): Tensor {
  return noGrad(() => multiply(x, 1));
}

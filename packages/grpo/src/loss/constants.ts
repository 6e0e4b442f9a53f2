// Constants within a recorded computation.
import { noGrad, scale, type Tensor } from "@iapo/tensor-core";

/** A scalar on the device of `like`. */
export function constant(like: Tensor, value: number): Tensor {
  return like.device.tensor([value], []);
}

/** The value of `x` without its gradient. */
export function detached(x: Tensor): Tensor {
  return noGrad(() => scale(x, 1));
}

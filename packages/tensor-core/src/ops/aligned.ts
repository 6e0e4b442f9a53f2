// Copies a row-range view whose start no binding can have; everything else passes through.
import type { Tensor } from "../tensor.ts";

/** `tensor`, or a copy of it at an aligned offset, which is added to `temporary`. */
export function aligned(tensor: Tensor, temporary: Tensor[]): Tensor {
  const { device } = tensor;
  if (tensor.shards || tensor.byteOffset % device.facts.offsetAlignment === 0) return tensor;
  const copy = device.empty(tensor.shape, tensor.dtype);
  device.copyBytes(tensor, 0, copy, 0, Math.ceil(tensor.bytes / 4) * 4);
  temporary.push(copy);
  return copy;
}

// From tensors to what a kernel is bound to.
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";
import type { Tensor } from "../tensor.ts";
import type { Kernel } from "./kernel.ts";
import type { Binding } from "./recorder.ts";

/** The binding of a tensor. A row-range view may start anywhere; a binding may not. What is not aligned is copied, which is cheap. */
export function bindingOf(device: Device, tensor: Tensor, kernel: Kernel): Binding {
  if (tensor.device !== device) {
    throw new TensorError("cross_device", `${kernel.name}: ${tensor} lives on another device`);
  }
  const { buffer } = tensor.storage;
  const size = Math.max(16, Math.ceil(tensor.bytes / 16) * 16);
  const offset = tensor.byteOffset;
  if (offset % device.facts.offsetAlignment !== 0) {
    throw new TensorError(
      "argument",
      `${kernel.name}: ${tensor} starts at byte ${offset}, which no binding can; use aligned()`,
    );
  }
  return { id: buffer.id, buffer: buffer.gpu as GPUBuffer, offset, size: Math.min(size, buffer.bytes - offset) };
}

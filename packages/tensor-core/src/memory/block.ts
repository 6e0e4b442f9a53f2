// Several tensors in one buffer: one upload in place of many, and one copy that rewrites all of them.
import type { Device } from "../device/device.ts";
import { inferred } from "../device/host-values.ts";
import { Tensor } from "../tensor.ts";

/** Values of a tensor; its element type is the array's. */
export interface HostTensor {
  readonly values: Float32Array | Int32Array | Uint32Array;
  readonly shape: readonly number[];
}

/** Tensors of one buffer, and all of it as u32 `[words]`. Blocks of equal shapes are laid out alike. */
export interface Block {
  readonly words: Tensor;
  readonly tensors: readonly Tensor[];
}

/** Uploads values together, each at a place where a kernel can be bound to it. Throws `limit` or `out_of_memory`. */
export function uploadBlock(device: Device, parts: readonly HostTensor[]): Block {
  const alignment = device.facts.offsetAlignment;
  const starts: number[] = [];
  let bytes = 0;
  for (const { values } of parts) {
    starts.push(bytes);
    bytes += Math.ceil(Math.max(1, values.byteLength) / alignment) * alignment;
  }
  const all = new Uint32Array(bytes / 4);
  parts.forEach(({ values }, i) => {
    all.set(new Uint32Array(values.buffer, values.byteOffset, values.length), (starts[i] ?? 0) / 4);
  });
  const words = device.tensor(all, [all.length]);
  const { storage } = words;
  const tensors = parts.map(
    ({ values, shape }, i) => new Tensor(device, shape, inferred(values), { storage, byteOffset: starts[i] ?? 0 }),
  );
  return { words, tensors };
}

/** Rewrites all of `target` from a block that is laid out alike. */
export function copyBlock(from: Block, target: Block): void {
  target.words.device.copyBytes(from.words, 0, target.words, 0, target.words.bytes);
}

// Copies of matrices in the layout that a kernel takes, kept while their sources stay as they are: queries, keys and values of one layer pack the
// same rows, and every decoding step the same weights.

import type { Device } from "../device/device.ts";
import type { Storage, Tensor } from "../tensor.ts";
import { refusePromise, release } from "./scope.ts";

/** Bytes of all copies together; those go first that were used longest ago. */
const MOST_BYTES = 16 << 20;
/** Larger ones are not kept: so a product's two never push each other out. */
const LARGEST = MOST_BYTES / 2;

interface Copy {
  readonly source: Storage;
  /** Of the source's contents. */
  readonly version: number;
  readonly tensor: Tensor;
}

export class PackedCopies {
  /** By source and layout, in the order of their last use. */
  readonly #copies = new Map<string, Copy>();
  #bytes = 0;

  /** Whether a copy of so many bytes is kept. */
  keeps(bytes: number): boolean {
    return bytes <= LARGEST;
  }

  /** A copy that is still in use, if it is one. */
  touch(tensor: Tensor): void {
    for (const [key, copy] of this.#copies) {
      if (copy.tensor !== tensor) continue;
      this.#copies.delete(key);
      this.#copies.set(key, copy);
      return;
    }
  }

  /** The copy of `source` in `layout`, made by `pack` where there is none of its present contents. It belongs to this object. */
  get(source: Tensor, layout: string, pack: () => Tensor): Tensor {
    const { storage, byteOffset } = source;
    const key = `${storage.id}/${byteOffset}/${layout}`;
    const known = this.#copies.get(key);
    if (known?.version === storage.version) {
      this.touch(known.tensor);
      return known.tensor;
    }
    this.#drop(key);
    const tensor = pack();
    release(tensor);
    this.#copies.set(key, { source: storage, version: storage.version, tensor });
    this.#bytes += tensor.bytes;
    for (const oldest of this.#copies.keys()) {
      if (this.#bytes <= MOST_BYTES || oldest === key) break;
      this.#drop(oldest);
    }
    return tensor;
  }

  /** The source is gone: its copies too. */
  forget(source: Storage): void {
    for (const [key, copy] of this.#copies) if (copy.source === source) this.#drop(key);
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#copies.keys()]) this.#drop(key);
  }

  #drop(key: string): void {
    const copy = this.#copies.get(key);
    if (!copy) return;
    this.#copies.delete(key);
    this.#bytes -= copy.tensor.bytes;
    copy.tensor.dispose();
  }
}

/** Runs `fn`, which is synchronous. Within it a matrix that kernels take in another layout is packed once while its contents stay as they are. */
export function keepPacked<T>(device: Device, fn: () => T): T {
  if (device.packed) return fn();
  using packed = new PackedCopies();
  device.packed = packed;
  try {
    return refusePromise(fn(), "keepPacked");
  } finally {
    device.packed = undefined;
  }
}

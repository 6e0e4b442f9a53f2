// A tensor: a contiguous row-major array on a device, or a matrix whose rows are spread over several buffers.
import { at, rowsOf } from "./checked.ts";
import type { Device } from "./device/device.ts";
import { byteLengthOf, bytesPerElement, type DType, fromBf16, type HostArray, hostArray, sizeOf } from "./dtype.ts";
import { TensorError } from "./error.ts";
import type { PooledBuffer } from "./memory/pool.ts";
import { adopt, currentTag, release } from "./memory/scope.ts";

let nextStorage = 1;

/** A counted reference to a buffer: views and saved activations share it. */
export class Storage {
  readonly device: Device;
  readonly buffer: PooledBuffer;
  readonly tag: string;
  readonly id = nextStorage++;
  references = 0;
  /** Rises with every write. */
  version = 0;

  constructor(device: Device, bytes: number) {
    this.device = device;
    this.tag = currentTag();
    this.buffer = device.pool.take(bytes, this.tag);
  }

  release(): void {
    if (--this.references > 0 || this.device.closed) return;
    this.device.packed?.forget(this);
    this.device.pool.give(this.buffer, this.tag);
  }
}

let nextId = 1;

const forgotten = new FinalizationRegistry<{ storage: Storage; what: string }>(({ storage, what }) => {
  if (storage.device.closed) return;
  storage.device.warn(`${what} was collected without dispose(): ${storage.buffer.bytes} bytes were held until now`);
  storage.release();
});

/** Rows `start` to `start + tensor.shape[0]` of a row-sharded matrix. */
export interface RowPart {
  readonly start: number;
  readonly tensor: Tensor;
}

export class Tensor {
  readonly device: Device;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly size: number;
  /** Identity of the value: handles of one value share it, which is how a tape knows them. */
  readonly id: number;
  /** Row parts where the matrix is larger than a binding may be; otherwise undefined. */
  readonly shards: readonly Tensor[] | undefined;
  readonly byteOffset: number;
  #storage: Storage | undefined;
  #disposed = false;
  readonly #registered: boolean;

  /** For this package: use `device.tensor`, `device.empty` or an op. */
  constructor(device: Device, shape: readonly number[], dtype: DType, source: TensorSource) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.size = sizeOf(shape);
    this.id = source.id ?? nextId++;
    this.byteOffset = source.byteOffset ?? 0;
    this.shards = source.shards;
    this.#storage = source.storage;
    if (source.storage) source.storage.references++;
    for (const shard of source.shards ?? []) release(shard); // they live and die with this tensor, not with a scope
    const owned = adopt(this);
    this.#registered = !owned && source.storage !== undefined;
    if (!owned && source.storage) forgotten.register(this, { storage: source.storage, what: this.toString() }, this);
  }

  /** Bytes of the contents. */
  get bytes(): number {
    return byteLengthOf(this.shape, this.dtype);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The buffer behind it. Throws `disposed` after `dispose()`, and for a value that the tape did not keep. */
  get storage(): Storage {
    if (this.#disposed)
      throw new TensorError("disposed", `${this} was disposed: return it from its scope to use it later`);
    if (!this.#storage) {
      const why = this.shards
        ? "its rows lie in several buffers, which this op does not take"
        : "its contents were not kept";
      throw new TensorError(this.shards ? "argument" : "disposed", `${this}: ${why}`);
    }
    return this.#storage;
  }

  /** Whether it has a buffer of its own or a part of one: not in row parts, not disposed, and kept where it is on a tape. */
  get isWhole(): boolean {
    return this.#storage !== undefined;
  }

  /** Row parts in order: one part for an ordinary tensor. */
  parts(): readonly RowPart[] {
    if (!this.shards) return [{ start: 0, tensor: this }];
    let start = 0;
    return this.shards.map((tensor) => {
      const part = { start, tensor };
      start += rowsOf(tensor);
      return part;
    });
  }

  /** Another handle of the same value and storage, to be disposed on its own. */
  alias(): Tensor {
    const source = { id: this.id, byteOffset: this.byteOffset };
    if (this.shards)
      return new Tensor(this.device, this.shape, this.dtype, { ...source, shards: this.shards.map((s) => s.alias()) });
    return new Tensor(this.device, this.shape, this.dtype, { ...source, storage: this.storage });
  }

  /** Reads the contents back; waits for the work before it. bf16 comes as raw patterns: see `fromBf16`. */
  read<D extends DType>(this: Tensor & { readonly dtype: D }): Promise<HostArray[D]>;
  async read(): Promise<HostArray[DType]> {
    if (this.shards) {
      const out = hostArray(this.dtype, this.size);
      const row = this.size / (this.shape[0] || 1);
      for (const { start, tensor } of this.parts()) out.set(await tensor.read(), start * row);
      return out;
    }
    const bytes = await this.device.readBytes(this.storage, this.byteOffset, this.bytes);
    return hostArray(this.dtype, this.size, bytes);
  }

  /** Reads the contents as numbers; bf16 is widened to f32. */
  async values(): Promise<Float32Array | Int32Array | Uint32Array> {
    const data = await this.read();
    if (!(data instanceof Uint16Array)) return data;
    return fromBf16(data);
  }

  /** The one number of a one-element tensor. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new TensorError("shape", `item() needs one element, ${this} has ${this.size}`);
    return at(await this.values(), 0);
  }

  /** Overwrites elements from `start` on. Not recorded on any tape. */
  write(values: HostArray[DType], start = 0): void {
    if (values.length + start > this.size) {
      throw new TensorError("shape", `${values.length} elements from ${start} on do not fit ${this}`);
    }
    this.device.writeBytes(this.storage, this.byteOffset + start * bytesPerElement[this.dtype], values);
  }

  /** Gives the storage up. Safe to call twice. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const shard of this.shards ?? []) shard.dispose();
    if (this.#registered) forgotten.unregister(this);
    this.#storage?.release();
    this.#storage = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor ${this.dtype}[${this.shape.join(", ")}]${this.shards ? ` in ${this.shards.length} row shards` : ""}`;
  }
}

/** A handle that knows the shape and identity of `tensor` only; reading it throws. For tapes. */
export function ghostOf({ device, shape, dtype, id }: Tensor): Tensor {
  return new Tensor(device, shape, dtype, { id });
}

/** Elements of `tensor` from `byteOffset` on under another shape, as a new value that shares the storage and is on no tape: ops make views of it. */
export function viewOf(tensor: Tensor, shape: readonly number[], byteOffset = 0): Tensor {
  const { device, dtype, storage } = tensor;
  return new Tensor(device, shape, dtype, { storage, byteOffset: tensor.byteOffset + byteOffset });
}

/** What element-wise ops take: a number stands for a tensor of any shape that is full of it. */
export type Operand = Tensor | number;

export interface TensorSource {
  readonly id?: number;
  readonly storage?: Storage;
  readonly byteOffset?: number;
  readonly shards?: readonly Tensor[];
}

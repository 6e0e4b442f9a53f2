// GPU buffers, reused by size, counted by tag, and bounded by a budget.
import { at } from "../checked.ts";
import { BufferUsage } from "../device/constants.ts";
import type { WebGpu } from "../device/webgpu.ts";
import { TensorError } from "../error.ts";

/** One GPU buffer. `gpu` is undefined on a planning device, which counts bytes and holds none. */
export interface PooledBuffer {
  readonly id: number;
  readonly bytes: number;
  readonly gpu: WebGpu<"GPUBuffer"> | undefined;
}

export interface MemoryReport {
  /** Bytes of buffers in use now. */
  readonly liveBytes: number;
  /** Largest `liveBytes` since the last `resetPeak()`. */
  readonly peakBytes: number;
  /** Bytes kept for reuse. */
  readonly idleBytes: number;
  /** Bytes that the device holds: in use and idle. */
  readonly reservedBytes: number;
  /** Largest `reservedBytes` since the last `resetPeak()`. */
  readonly peakReservedBytes: number;
  readonly liveBuffers: number;
  /** Bytes in use by tag ("weights", "activations", ...). */
  readonly byTag: Readonly<Record<string, number>>;
}

const SMALLEST = 256;

/** From here on a quarter step would waste megabytes, and an idle buffer serves requests of other sizes too. */
export const LARGE = 2 ** 20;
/** An idle buffer is taken for requests of at least its half. */
const BEST_FIT = 2;

/** Rounds up to few distinct sizes: quarter steps between powers of two (at most 25 % larger), for large buffers 32nd steps (3 %). */
function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST;
  const power = 2 ** Math.floor(Math.log2(bytes));
  const step = power / (bytes < LARGE ? 4 : 32);
  return Math.ceil(bytes / step) * step;
}

export class BufferPool {
  readonly #gpu: GPUDevice | undefined;
  readonly #maxBuffer: number;
  readonly #idle = new IdleBuffers();
  readonly #byTag = new Map<string, number>();
  #nextId = 1;
  /** Within `track`: the buffers that were taken. */
  #taken: Set<PooledBuffer> | undefined;
  #live = 0;
  #liveBuffers = 0;
  #peak = 0;
  #peakReserved = 0;
  /** Bytes in use and idle together may not pass this. */
  budget: number;

  constructor(gpu: WebGpu<"GPUDevice"> | undefined, maxBuffer: number, budget: number) {
    this.#gpu = gpu;
    this.#maxBuffer = maxBuffer;
    this.budget = budget;
  }

  /**
   * A buffer of at least `bytes`, with undefined contents. Of the idle ones the smallest that is at least as large, from 1 MiB on at most twice
   * as large, below of the same class; of equals the oldest, so that equal steps take equal buffers, and find their bind groups made. Throws
   * `limit` or `out_of_memory`.
   */
  take(bytes: number, tag: string): PooledBuffer {
    const size = this.#maxBuffer < sizeClass(bytes) ? Math.ceil(bytes / 4) * 4 : sizeClass(bytes);
    if (size > this.#maxBuffer) {
      throw new TensorError("limit", `a buffer of ${size} bytes passes this adapter's limit of ${this.#maxBuffer}`);
    }
    const buffer = this.#idle.take(size, size < LARGE ? size : size * BEST_FIT) ?? this.#create(size, tag);
    this.#taken?.add(buffer);
    this.#use(buffer, tag);
    return buffer;
  }

  #use(buffer: PooledBuffer, tag: string): void {
    this.#live += buffer.bytes;
    this.#liveBuffers++;
    this.#peak = Math.max(this.#peak, this.#live);
    this.#peakReserved = Math.max(this.#peakReserved, this.reservedBytes);
    this.#byTag.set(tag, (this.#byTag.get(tag) ?? 0) + buffer.bytes);
  }

  /** Runs `fn`, and tells which buffers it took and gave back. */
  track<T>(fn: () => T): { value: T; idle: PooledBuffer[] } {
    const taken = new Set<PooledBuffer>();
    this.#taken = taken;
    try {
      const value = fn();
      return { value, idle: [...taken].filter((buffer) => this.#idle.has(buffer)) };
    } finally {
      this.#taken = undefined;
    }
  }

  /** Takes idle buffers out of use by others, until they are given back. */
  withhold(buffers: readonly PooledBuffer[], tag: string): void {
    for (const buffer of buffers) {
      this.#idle.delete(buffer);
      this.#use(buffer, tag);
    }
  }

  /** Hands a buffer back for reuse. Commands run in order, so later work may overwrite it at once. */
  give(buffer: PooledBuffer, tag: string): void {
    this.#live -= buffer.bytes;
    this.#liveBuffers--;
    this.#byTag.set(tag, (this.#byTag.get(tag) ?? 0) - buffer.bytes);
    this.#idle.add(buffer);
  }

  /** Bytes in use and idle. */
  get reservedBytes(): number {
    return this.#live + this.#idle.bytes;
  }

  /** Destroys what is idle, from `least` bytes on; work that was submitted may still use it, which WebGPU allows. Returns the destroyed buffers' ids. */
  trim(least = 0): number[] {
    return this.#idle.clear(least).map((buffer) => {
      buffer.gpu?.destroy();
      return buffer.id;
    });
  }

  report(): MemoryReport {
    const byTag: Record<string, number> = {};
    for (const [tag, bytes] of this.#byTag) if (bytes > 0) byTag[tag] = bytes;
    return {
      liveBytes: this.#live,
      peakBytes: this.#peak,
      idleBytes: this.#idle.bytes,
      reservedBytes: this.reservedBytes,
      peakReservedBytes: this.#peakReserved,
      liveBuffers: this.#liveBuffers,
      byTag,
    };
  }

  resetPeak(): void {
    this.#peak = this.#live;
    this.#peakReserved = this.reservedBytes;
  }

  #create(size: number, tag: string): PooledBuffer {
    if (this.reservedBytes + size > this.budget) this.onPressure();
    if (this.reservedBytes + size > this.budget) {
      throw new TensorError(
        "out_of_memory",
        `${mib(size)} more for ${tag} would pass the memory budget of ${mib(this.budget)} (${mib(this.#live)} in use). ` +
          "Use a smaller batch, checkpoint more, or raise memoryBudget.",
      );
    }
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    return { id: this.#nextId++, bytes: size, gpu: this.#gpu?.createBuffer({ size, usage, label: tag }) };
  }

  /** Called when the budget is met; the device flushes its commands and trims. */
  onPressure: () => void = () => {
    this.trim();
  };
}

/** Buffers that wait for their next use, ordered by size and then by age. */
class IdleBuffers {
  readonly #sorted: PooledBuffer[] = [];
  bytes = 0;

  add(buffer: PooledBuffer): void {
    this.#sorted.splice(this.#placeOf(buffer.bytes, buffer.id), 0, buffer);
    this.bytes += buffer.bytes;
  }

  /** The smallest of `least` to `most` bytes, of equals the oldest. */
  take(least: number, most: number): PooledBuffer | undefined {
    const place = this.#placeOf(least, 0);
    const found = this.#sorted[place];
    if (!found || found.bytes > most) return undefined;
    this.#sorted.splice(place, 1);
    this.bytes -= found.bytes;
    return found;
  }

  has(buffer: PooledBuffer): boolean {
    return this.#sorted[this.#placeOf(buffer.bytes, buffer.id)] === buffer;
  }

  delete(buffer: PooledBuffer): void {
    this.#sorted.splice(this.#placeOf(buffer.bytes, buffer.id), 1);
    this.bytes -= buffer.bytes;
  }

  /** All of at least `least` bytes. */
  clear(least: number): PooledBuffer[] {
    const cleared = this.#sorted.splice(this.#placeOf(least, 0));
    this.bytes -= cleared.reduce((sum, { bytes }) => sum + bytes, 0);
    return cleared;
  }

  #placeOf(bytes: number, id: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const buffer = at(this.#sorted, middle);
      if (buffer.bytes < bytes || (buffer.bytes === bytes && buffer.id < id)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

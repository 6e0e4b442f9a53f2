// GPU buffers, reused by size class, counted by tag, and bounded by a budget.
import { BufferUsage } from "../device/constants.ts";
import { TensorError } from "../errors.ts";

/** One GPU buffer. `gpu` is undefined on a planning device, which counts bytes and holds none. */
export interface PooledBuffer {
  readonly id: number;
  readonly bytes: number;
  readonly gpu: GPUBuffer | undefined;
}

export interface MemoryReport {
  /** Bytes of buffers in use now. */
  readonly liveBytes: number;
  /** Largest `liveBytes` since the last `resetPeak()`. */
  readonly peakBytes: number;
  /** Bytes kept for reuse. */
  readonly idleBytes: number;
  readonly liveBuffers: number;
  /** Bytes in use by tag ("weights", "activations", ...). */
  readonly byTag: Readonly<Record<string, number>>;
}

const SMALLEST = 256;

/** From here on a quarter step would waste megabytes. */
const LARGE = 2 ** 20;

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
  /** By size, each list descending in id. */
  readonly #idle = new Map<number, PooledBuffer[]>();
  readonly #byTag = new Map<string, number>();
  #nextId = 1;
  #live = 0;
  #liveBuffers = 0;
  #peak = 0;
  #idleBytes = 0;
  /** Bytes in use and idle together may not pass this. */
  budget: number;

  constructor(gpu: GPUDevice | undefined, maxBuffer: number, budget: number) {
    this.#gpu = gpu;
    this.#maxBuffer = maxBuffer;
    this.budget = budget;
  }

  /**
   * A buffer of at least `bytes`, with undefined contents: of the idle ones the oldest, so that equal steps take equal buffers, and find
   * their bind groups made. Throws `limit` or `out_of_memory`.
   */
  take(bytes: number, tag: string): PooledBuffer {
    const size = this.#maxBuffer < sizeClass(bytes) ? Math.ceil(bytes / 4) * 4 : sizeClass(bytes);
    if (size > this.#maxBuffer) {
      throw new TensorError("limit", `a buffer of ${size} bytes passes this adapter's limit of ${this.#maxBuffer}`);
    }
    let buffer = this.#idle.get(size)?.pop();
    if (buffer) this.#idleBytes -= size;
    else buffer = this.#create(size, tag);
    this.#live += size;
    this.#liveBuffers++;
    this.#peak = Math.max(this.#peak, this.#live);
    this.#byTag.set(tag, (this.#byTag.get(tag) ?? 0) + size);
    return buffer;
  }

  /** Hands a buffer back for reuse. Commands run in order, so later work may overwrite it at once. */
  give(buffer: PooledBuffer, tag: string): void {
    this.#live -= buffer.bytes;
    this.#liveBuffers--;
    this.#byTag.set(tag, (this.#byTag.get(tag) ?? 0) - buffer.bytes);
    const list = this.#idle.get(buffer.bytes);
    if (list) insertDescending(list, buffer);
    else this.#idle.set(buffer.bytes, [buffer]);
    this.#idleBytes += buffer.bytes;
  }

  /** Destroys what is idle; work that was submitted may still use it, which WebGPU allows. Returns the destroyed buffers' ids. */
  trim(): number[] {
    const ids: number[] = [];
    for (const list of this.#idle.values()) {
      for (const buffer of list) {
        buffer.gpu?.destroy();
        ids.push(buffer.id);
      }
    }
    this.#idle.clear();
    this.#idleBytes = 0;
    return ids;
  }

  report(): MemoryReport {
    const byTag: Record<string, number> = {};
    for (const [tag, bytes] of this.#byTag) if (bytes > 0) byTag[tag] = bytes;
    return {
      liveBytes: this.#live,
      peakBytes: this.#peak,
      idleBytes: this.#idleBytes,
      liveBuffers: this.#liveBuffers,
      byTag,
    };
  }

  resetPeak(): void {
    this.#peak = this.#live;
  }

  #create(size: number, tag: string): PooledBuffer {
    if (this.#live + this.#idleBytes + size > this.budget) this.onPressure();
    if (this.#live + this.#idleBytes + size > this.budget) {
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

function insertDescending(list: PooledBuffer[], buffer: PooledBuffer): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.id > buffer.id) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, buffer);
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

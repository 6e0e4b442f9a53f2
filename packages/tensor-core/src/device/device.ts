// A device: one WebGPU device (or none, for planning), its memory pool and its command recorder.

import { politely } from "#host";
import { byteLengthOf, type DType, type HostArray } from "../dtype.ts";
import { isOutOfMemory, TensorError } from "../error.ts";
import { keepPacked, type PackedCopies } from "../memory/packed-copies.ts";
import { BufferPool, LARGE, type MemoryReport } from "../memory/pool.ts";
import { bindingOf } from "../submit/binding.ts";
import { type Captured, type Capturing, captured } from "../submit/capture.ts";
import type { Kernel } from "../submit/kernel.ts";
import { type KernelTime, Profiler } from "../submit/profiler.ts";
import { Recorder } from "../submit/recorder.ts";
import { Storage, Tensor } from "../tensor.ts";
import { BufferUsage, MAP_READ, MOST_FLOPS_AT_ONCE } from "./constants.ts";
import type { AdapterFacts } from "./facts.ts";
import { converted, inferred, plain } from "./host-values.ts";
import type { WebGpu } from "./webgpu.ts";

export interface Dispatch {
  readonly reads: readonly Tensor[];
  readonly writes: readonly Tensor[];
  readonly uniforms?: readonly number[];
  /** Workgroups in x, y, z; a zero anywhere means that there is nothing to do. */
  readonly groups: readonly [number, number?, number?];
}

/** Shards start at blocks of the canonical order of sums (docs/decisions/0002), so that sharding never changes bits. */
const ROW_MULTIPLE = 256;
/** Of the budget: from here on idle buffers are given back under way. */
const RELIEF_SHARE = 0.7;
/** Idle bytes from which a phase gives them back. */
const PHASE_IDLE = 2 ** 30;
/** Operations of a quarter to half a second on a software adapter: recording takes no longer. */
const EARLY_WORK = 2 ** 33;
/** Of what was reserved when the driver refused more. */
const LEARNED_SHARE = 0.95;

export class Device {
  readonly facts: AdapterFacts;
  readonly pool: BufferPool;
  /** The WebGPU device, or undefined on a planning device. */
  readonly gpu: WebGpu<"GPUDevice"> | undefined;
  /** Receives warnings (a forgotten tensor, ...); console.warn by default. */
  warn: (message: string) => void = (message) => console.warn(message);
  /** Floating-point operations of the matrix products and attentions recorded so far; a multiply-add counts as two. */
  flops = 0;
  /** Within `keepPacked`. */
  packed: PackedCopies | undefined;
  /** On a planning device: hears of each dispatch that would be recorded. */
  onPlannedDispatch: (kernel: Kernel, call: Dispatch) => void = () => {};
  readonly #recorder: Recorder | undefined;
  readonly #ownsGpu: boolean;
  /** Whether what was last recorded whole had new kernels. */
  #meetsKernels = true;
  /** `flops` when work was last handed over because there was so much of it. */
  #handedFlops = 0;
  /** Hears of commands: the recorder, and on a planning device nobody else. */
  readonly #capturing: Capturing;
  /** The end of what had been handed over at the last `relieve`. */
  #behind: Promise<undefined> | undefined;
  #failure: TensorError | undefined;
  #closed = false;

  /** Use `openDevice` or `planningDevice`. */
  constructor(gpu: WebGpu<"GPUDevice"> | undefined, facts: AdapterFacts, memoryBudget: number, ownsGpu = true) {
    this.gpu = gpu;
    this.facts = facts;
    this.#ownsGpu = ownsGpu;
    this.pool = new BufferPool(gpu, facts.maxBuffer, memoryBudget);
    this.#recorder = gpu && new Recorder(gpu);
    this.#capturing = this.#recorder ?? { capture: undefined };
    if (!gpu) return;
    this.pool.onPressure = () => this.trim();
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault(); // it is thrown at the next check: no need to print it too
      this.#failure ??= this.#failureOf((event as GPUUncapturedErrorEvent).error);
    });
    gpu.lost.then((info) => {
      if (this.#closed) return;
      this.#failure = new TensorError(
        "device_lost",
        `the GPU device was lost (${info.reason || "unknown"}): ${info.message || "no message"}. Open a new device and reload its tensors.`,
      );
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How many kernels were compiled so far. */
  get pipelines(): number {
    return this.#recorder?.pipelines ?? 0;
  }

  /** Whether the kernel, or one of the same text, was compiled. */
  hasPipeline(kernel: Kernel): boolean {
    return this.#recorder?.hasPipeline(kernel) ?? false;
  }

  get dispatches(): number {
    return this.#recorder?.dispatches ?? 0;
  }

  /** Throws what the GPU has reported since the last call: `device_lost`, `out_of_memory` or `validation`. */
  check(): void {
    if (this.#closed) throw new TensorError("device_lost", "this device was closed");
    const failure = this.#failure;
    if (failure && failure.code !== "device_lost") this.#failure = undefined;
    if (failure) throw failure;
  }

  /** A tensor with undefined contents. Throws `limit` where it passes a binding's limit. */
  empty(shape: readonly number[], dtype: DType = "f32"): Tensor {
    this.check();
    const bytes = byteLengthOf(shape, dtype);
    if (bytes > this.facts.maxBinding) {
      throw new TensorError(
        "limit",
        `a tensor of shape [${shape.join(", ")}] takes ${bytes} bytes, more than one binding may span on this adapter (${this.facts.maxBinding})`,
      );
    }
    return new Tensor(this, shape, dtype, { storage: new Storage(this, Math.max(bytes, 16)) });
  }

  /** A matrix with undefined contents, its rows spread over several buffers where one binding can't span it. */
  emptyMatrix(
    shape: readonly [number, number],
    dtype: DType = "f32",
    maxBytes: number = this.facts.maxBinding,
  ): Tensor {
    const bytes = byteLengthOf(shape, dtype);
    if (bytes <= Math.min(maxBytes, this.facts.maxBinding)) return this.empty(shape, dtype);
    const rowBytes = bytes / shape[0];
    const rows = Math.floor(Math.min(maxBytes, this.facts.maxBinding) / rowBytes / ROW_MULTIPLE) * ROW_MULTIPLE;
    if (rows === 0)
      throw new TensorError("limit", `${ROW_MULTIPLE} rows of [${shape.join(", ")}] do not fit one binding`);
    const shards: Tensor[] = [];
    for (let start = 0; start < shape[0]; start += rows) {
      shards.push(this.empty([Math.min(rows, shape[0] - start), shape[1]], dtype));
    }
    return new Tensor(this, shape, dtype, { shards });
  }

  /** Uploads values. Numbers are rounded to the dtype (bf16: nearest even); typed arrays of the dtype are copied as they are. */
  tensor(
    values: HostArray[DType] | readonly number[],
    shape: readonly number[],
    dtype: DType = inferred(values),
  ): Tensor {
    const tensor = this.empty(shape, dtype);
    if (values.length !== tensor.size) {
      tensor.dispose();
      throw new TensorError("shape", `${values.length} values do not fill shape [${shape.join(", ")}]`);
    }
    if (tensor.size > 0) this.writeBytes(tensor.storage, 0, converted(values, dtype));
    return tensor;
  }

  /** Appends a kernel dispatch. */
  dispatch(kernel: Kernel, call: Dispatch): void {
    this.check();
    const groups = call.groups.map((n) => n ?? 1);
    if (groups.includes(0)) return;
    if (groups.some((n) => n > this.facts.maxWorkgroupsPerDimension)) {
      throw new TensorError(
        "limit",
        `${kernel.name} asks for ${groups.join(" x ")} workgroups, more than the adapter allows`,
      );
    }
    const tensors = [...call.reads, ...call.writes];
    const bindings = tensors.map((tensor) => bindingOf(this, tensor, kernel));
    for (const { storage } of call.writes) storage.version++;
    const { capture } = this.#capturing;
    capture?.touch(tensors);
    if (!this.#recorder) {
      this.onPlannedDispatch(kernel, call);
      capture?.add([], [], () => this.onPlannedDispatch(kernel, call));
      return;
    }
    const label = () => `${kernel.name}(${tensors.map((t) => `${t.dtype}[${t.shape.join(",")}]`).join(", ")})`;
    this.#recorder.dispatch(kernel, bindings, call.uniforms ?? [], groups, label);
    if (this.flops - this.#handedFlops < MOST_FLOPS_AT_ONCE) return;
    this.#handedFlops = this.flops;
    this.#recorder.flush();
  }

  /** Appends a copy of bytes between two tensors' storages; offsets and size are multiples of 4. */
  copyBytes(from: Tensor, fromOffset: number, to: Tensor, toOffset: number, bytes: number): void {
    this.check();
    const source = from.storage.buffer.gpu;
    const target = to.storage.buffer.gpu;
    to.storage.version++;
    this.#capturing.capture?.touch([from, to]);
    if (bytes > 0 && source && target) {
      this.#recorder?.copy(source, from.byteOffset + fromOffset, target, to.byteOffset + toOffset, bytes);
    }
  }

  /** Submits the recorded commands. */
  flush(): void {
    this.check();
    this.#recorder?.flush();
  }

  /** Waits until all submitted work is done, and throws what went wrong in it. */
  async idle(): Promise<void> {
    this.flush();
    if (this.gpu) await politely(this.gpu.queue.onSubmittedWorkDone());
    this.#recorder?.drained();
    this.check();
  }

  writeBytes(storage: Storage, offset: number, values: ArrayBufferView): void {
    this.check();
    storage.version++;
    const target = storage.buffer.gpu;
    const recorder = this.#recorder;
    if (!target || !recorder) return;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const whole = bytes.byteLength & ~3;
    if (whole > 0) recorder.write(target, offset, plain(bytes.subarray(0, whole)));
    if (whole < bytes.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(bytes.subarray(whole));
      recorder.write(target, offset + whole, tail);
    }
  }

  async readBytes(storage: Storage, offset: number, bytes: number): Promise<ArrayBuffer> {
    this.check();
    const source = storage.buffer.gpu;
    const recorder = this.#recorder;
    if (!source || !recorder || !this.gpu || bytes === 0) return new ArrayBuffer(bytes);
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.gpu.createBuffer({
      size,
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
      label: "readback",
    });
    try {
      recorder.copy(source, offset, staging, 0, size);
      recorder.submitHeld();
      await politely(staging.mapAsync(MAP_READ));
      recorder.drained();
      this.check();
      return staging.getMappedRange().slice(0, bytes);
    } catch (error) {
      if (error instanceof TensorError) throw error;
      await Promise.resolve();
      this.check();
      throw new TensorError("device_lost", `reading back ${bytes} bytes failed: ${String(error)}`, { cause: error });
    } finally {
      staging.destroy();
    }
  }

  memory(): MemoryReport {
    return this.pool.report();
  }

  /** Destroys buffers that are kept for reuse. */
  trim(): void {
    this.#recorder?.submitHeld();
    if (this.pool.trim().length > 0) this.#recorder?.dropBindGroups();
  }

  /**
   * Between phases whose tensors have other sizes: gives large idle buffers back where they hold 1 GiB or more. Less is cheaper to keep, with the
   * bind groups made for it.
   */
  trimPhase(): void {
    if (this.pool.report().idleBytes < PHASE_IDLE) return;
    this.#recorder?.submitHeld();
    if (this.pool.trim(LARGE).length > 0) this.#recorder?.dropBindGroups();
  }

  /**
   * Runs `fn`, which is synchronous, and keeps the commands that it records, so that they can be appended again: see `Captured`. `fn` fills what
   * it writes before it adds to it.
   */
  capture<T>(fn: () => T): Captured<T> {
    return captured(this, this.#capturing, fn);
  }

  /**
   * Runs `fn`, which is synchronous. On a software adapter the GPU begins with little of it before all is recorded, and with nothing where the last
   * call met new kernels: lavapipe does not compile a kernel while others run, and the thread would wait that long.
   */
  recordWhole<T>(fn: () => T): T {
    const recorder = this.#recorder;
    const record = () => keepPacked(this, fn);
    if (!recorder || !this.facts.software) return record();
    const known = recorder.pipelines;
    const enough = this.flops + (this.#meetsKernels ? 0 : EARLY_WORK);
    try {
      return recorder.hold(record, () => this.flops >= enough);
    } finally {
      this.#meetsKernels = recorder.pipelines > known;
    }
  }

  /**
   * Between parts of long work: where more than 70 % of the budget is reserved, waits for the GPU and frees what is idle, which is there again only
   * once the GPU has caught up. Otherwise waits for the part before the last, so that two are under way at most; a software adapter always.
   */
  async relieve(): Promise<void> {
    const isFull = this.pool.reservedBytes > RELIEF_SHARE * this.pool.budget;
    this.flush();
    const behind = this.#behind;
    this.#behind = this.gpu && politely(this.gpu.queue.onSubmittedWorkDone());
    this.#behind?.catch(() => {}); // it was lost, which the next check tells
    await (isFull || this.facts.software ? this.idle() : behind);
    this.check();
    if (isFull) this.trim();
  }

  /**
   * Awaits `work`, and on a GPU the commands it has recorded. Where memory runs out in it, frees what is idle and does it once more: it may have no
   * effect but its result. `discard` frees a result whose commands turned out not to have run.
   */
  async retryOutOfMemory<T>(work: () => T | Promise<T>, discard: (result: T) => void = () => {}): Promise<T> {
    try {
      return await this.#completed(work, discard);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
    }
    this.trim();
    return await this.#completed(work, discard);
  }

  async #completed<T>(work: () => T | Promise<T>, discard: (result: T) => void): Promise<T> {
    const result = await work();
    if (this.facts.software) return result; // its memory is the machine's: only the budget runs out, and at once
    try {
      await this.idle();
    } catch (error) {
      discard(result);
      throw error;
    }
    return result;
  }

  /** A driver that has no memory left shows what the budget should have been. */
  #failureOf(error: GPUError): TensorError {
    const { message } = error;
    if (error.constructor.name !== "GPUOutOfMemoryError")
      return new TensorError("validation", `the GPU refused a command: ${message}`);
    const { liveBytes, reservedBytes } = this.memory();
    this.pool.budget = Math.min(this.pool.budget, Math.max(liveBytes, LEARNED_SHARE * reservedBytes));
    const gib = (reservedBytes / 2 ** 30).toFixed(1);
    return new TensorError(
      "out_of_memory",
      `the GPU has no memory left, with ${gib} GiB reserved: ${message}. Use a smaller batch, checkpoint more, or close what else uses the GPU.`,
    );
  }

  /** Runs `fn` and returns the time of each kernel it used. Needs the `timestamp-query` feature, else throws `argument`. */
  async profile(fn: () => void | Promise<void>): Promise<KernelTime[]> {
    const recorder = this.#recorder;
    if (!this.gpu?.features.has("timestamp-query") || !recorder) {
      throw new TensorError("argument", "profile() needs an adapter with the timestamp-query feature");
    }
    this.flush();
    const profiler = new Profiler(this.gpu);
    recorder.profiler = profiler;
    try {
      await fn();
      this.flush();
    } finally {
      recorder.profiler = undefined;
    }
    await this.idle();
    return profiler.finish();
  }

  /**
   * Destroys the device, once work that is under way has ended: the thread does not wait for that. Tensors on it are gone. A `GPUDevice` that was
   * passed in stays its owner's.
   */
  close(): void {
    if (this.#closed) return;
    this.pool.trim();
    this.#closed = true;
    this.#recorder?.dispose();
    const { gpu } = this;
    if (!gpu || !this.#ownsGpu) return;
    if (!this.#recorder?.isBusy) gpu.destroy();
    else
      politely(gpu.queue.onSubmittedWorkDone()).then(
        () => gpu.destroy(),
        () => {}, // it was lost
      );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

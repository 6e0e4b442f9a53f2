// Times kernels by timestamp query: one compute pass per dispatch while a profile is taken.
import { at } from "../checked.ts";
import { BufferUsage, MAP_READ } from "../device/constants.ts";
import type { WebGpu } from "../device/webgpu.ts";

export interface KernelTime {
  readonly kernel: string;
  readonly calls: number;
  readonly milliseconds: number;
  /** Share of the summed kernel time, 0 to 1. */
  readonly share: number;
}

/** A GPUComputePassTimestampWrites. */
interface TimestampSlots {
  readonly querySet: WebGpu<"GPUQuerySet">;
  readonly beginningOfPassWriteIndex: number;
  readonly endOfPassWriteIndex: number;
}

const PASSES = 1024;

export class Profiler {
  readonly #gpu: GPUDevice;
  readonly #set: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  #names: string[] = [];
  readonly #chunks: { names: string[]; buffer: GPUBuffer }[] = [];

  constructor(gpu: WebGpu<"GPUDevice">) {
    this.#gpu = gpu;
    this.#set = gpu.createQuerySet({ type: "timestamp", count: PASSES * 2 });
    this.#resolved = gpu.createBuffer({ size: PASSES * 16, usage: BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC });
  }

  get full(): boolean {
    return this.#names.length === PASSES;
  }

  /** Timestamp slots for the next pass. */
  next(name: string): TimestampSlots {
    const index = this.#names.push(name) - 1;
    return { querySet: this.#set, beginningOfPassWriteIndex: index * 2, endOfPassWriteIndex: index * 2 + 1 };
  }

  /** Adds the copying out of this submission's timestamps. */
  resolve(encoder: WebGpu<"GPUCommandEncoder">): void {
    if (this.#names.length === 0) return;
    const bytes = this.#names.length * 16;
    const buffer = this.#gpu.createBuffer({ size: bytes, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
    encoder.resolveQuerySet(this.#set, 0, this.#names.length * 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, buffer, 0, bytes);
    this.#chunks.push({ names: this.#names, buffer });
    this.#names = [];
  }

  /** Kernel times, longest first. Call after the last flush. */
  async finish(): Promise<KernelTime[]> {
    const sums = new Map<string, { calls: number; milliseconds: number }>();
    for (const { names, buffer } of this.#chunks) {
      await buffer.mapAsync(MAP_READ);
      const times = new BigUint64Array(buffer.getMappedRange().slice(0));
      buffer.destroy();
      names.forEach((name, i) => {
        const sum = sums.get(name) ?? { calls: 0, milliseconds: 0 };
        sum.calls++;
        sum.milliseconds += Number(at(times, i * 2 + 1) - at(times, i * 2)) / 1e6;
        sums.set(name, sum);
      });
    }
    this.#set.destroy();
    this.#resolved.destroy();
    const total = [...sums.values()].reduce((sum, row) => sum + row.milliseconds, 0);
    return [...sums]
      .map(([kernel, row]) => ({ kernel, ...row, share: total > 0 ? row.milliseconds / total : 0 }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  }
}

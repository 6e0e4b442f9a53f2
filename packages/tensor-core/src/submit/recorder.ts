// Records dispatches and copies into command buffers and submits them in batches. Pipelines and bind groups are cached.
import { collectGarbage } from "#host";
import { at } from "../checked.ts";
import { BufferUsage, STAGE_COMPUTE } from "../device/constants.ts";
import type { WebGpu } from "../device/webgpu.ts";
import { TensorError } from "../error.ts";
import type { Capture, Capturing } from "./capture.ts";
import { type Kernel, UNIFORM_SLOT } from "./kernel.ts";
import type { Profiler } from "./profiler.ts";

/** A part of a GPU buffer, bound to a kernel. */
export interface Binding {
  readonly id: number;
  readonly buffer: WebGpu<"GPUBuffer">;
  readonly offset: number;
  readonly size: number;
}

interface Pipeline {
  readonly id: number;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

const SLOTS = 256;
/** Of each slot, as a bind group takes it. */
const OFFSETS = Array.from({ length: SLOTS }, (_, slot) => [slot * UNIFORM_SLOT]);
/** Dispatches of the first submission after a wait: the GPU begins early, while more is recorded. Each next one takes twice as many. */
const FIRST_SLOTS = 32;
/**
 * Bind groups that are kept, and those dropped until the engine is asked to collect them. A driver holds memory for each until then (lavapipe a
 * mapping, of which a process has 65,530), and the engine, for which they are small, lets them lie.
 */
const MOST_BIND_GROUPS = 8192;

export class Recorder implements Capturing {
  readonly #gpu: GPUDevice;
  readonly #arena: GPUBuffer;
  readonly #uniforms = new DataView(new ArrayBuffer(SLOTS * UNIFORM_SLOT));
  readonly #uniformBytes = new Uint8Array(this.#uniforms.buffer);
  readonly #pipelines = new Map<string, Pipeline>(); // by WGSL text
  readonly #groups = new Map<string, GPUBindGroup>();
  /** Dropped ones since the last collection. */
  #dropped = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  /** What the queue is given later, in order; undefined: at once. */
  #held: (() => void)[] | undefined;
  /** Whether from now on all is held. */
  #mustHold: (() => boolean) | undefined;
  #slot = 0;
  #slots = FIRST_SLOTS;
  profiler: Profiler | undefined;
  /** Hears of every command. */
  capture: Capture | undefined;
  /** Whether something was submitted that nobody has waited for. */
  isBusy = false;
  /** Dispatches since the device was opened. */
  dispatches = 0;

  constructor(gpu: WebGpu<"GPUDevice">) {
    this.#gpu = gpu;
    this.#arena = gpu.createBuffer({
      size: SLOTS * UNIFORM_SLOT,
      usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST,
      label: "uniforms",
    });
  }

  /** Pipelines made so far. */
  get pipelines(): number {
    return this.#pipelines.size;
  }

  hasPipeline({ wgsl }: Kernel): boolean {
    return this.#pipelines.has(wgsl);
  }

  /** Appends one dispatch. `label` names the op and its shapes in validation errors. */
  dispatch(
    kernel: Kernel,
    bindings: readonly Binding[],
    uniforms: readonly number[],
    groups: readonly number[],
    label: () => string,
  ): void {
    const offset = this.#takeSlot();
    const { pipeline, layout, id } = this.#pipeline(kernel);
    writeUniforms(this.#uniforms, offset, kernel, uniforms);
    const group = this.#group(id, layout, bindings, label);
    this.#encode(kernel.name, pipeline, group, offset, groups);
    if (!this.capture) return;
    const buffers = bindings.map(({ buffer }) => buffer);
    const reads = Object.keys(kernel.reads).length;
    const values = new Uint8Array(this.#uniforms.buffer.slice(offset, offset + 4 * uniforms.length));
    this.capture.add(buffers.slice(0, reads), buffers.slice(reads), () => {
      const place = this.#takeSlot();
      this.#uniformBytes.set(values, place);
      this.#encode(kernel.name, pipeline, group, place, groups);
    });
  }

  /** Where the next dispatch's uniforms go. */
  #takeSlot(): number {
    if (!this.#held && this.#mustHold?.()) {
      this.flush();
      this.#held = [];
    }
    if (this.#slot === this.#slots || this.profiler?.full) {
      this.#slots = Math.min(SLOTS, 2 * this.#slots);
      this.flush();
    }
    return this.#slot++ * UNIFORM_SLOT;
  }

  #encode(
    name: string,
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    offset: number,
    groups: readonly number[],
  ): void {
    const pass = this.#openPass(name);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, at(OFFSETS, offset / UNIFORM_SLOT));
    pass.dispatchWorkgroups(groups[0] ?? 1, groups[1] ?? 1, groups[2] ?? 1);
    this.dispatches++;
    if (this.profiler) this.#closePass();
  }

  /** Appends a copy; offsets and size are multiples of 4 bytes. */
  copy(from: WebGpu<"GPUBuffer">, fromOffset: number, to: WebGpu<"GPUBuffer">, toOffset: number, bytes: number): void {
    this.#closePass();
    this.#encoder ??= this.#gpu.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
    this.capture?.add([from], [to], () => this.copy(from, fromOffset, to, toOffset, bytes));
  }

  /** Submits what was recorded. Anything written by the queue afterwards comes after it. */
  flush(): void {
    this.#closePass();
    if (!this.#encoder) return;
    const { queue } = this.#gpu;
    const bytes = this.#slot * UNIFORM_SLOT;
    const uniforms = this.#held ? this.#uniforms.buffer.slice(0, bytes) : this.#uniforms.buffer;
    this.profiler?.resolve(this.#encoder);
    const commands = this.#encoder.finish();
    this.#hand(() => {
      if (bytes > 0) queue.writeBuffer(this.#arena, 0, uniforms, 0, bytes);
      queue.submit([commands]);
      this.isBusy = true;
    });
    this.#encoder = undefined;
    this.#slot = 0;
  }

  /** Writes behind all that was recorded. */
  write(to: WebGpu<"GPUBuffer">, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.capture?.refuse();
    this.flush();
    const own = this.#held ? bytes.slice() : bytes;
    this.#hand(() => this.#gpu.queue.writeBuffer(to, offset, own));
  }

  /** Runs `fn`; what it records once `isEnough` says so is submitted behind it. */
  hold<T>(fn: () => T, isEnough: () => boolean): T {
    if (this.#mustHold) return fn();
    this.flush();
    this.#mustHold = isEnough;
    try {
      return fn();
    } finally {
      this.flush();
      const held = this.#held ?? [];
      this.#held = undefined;
      this.#mustHold = undefined;
      for (const act of held) act();
    }
  }

  /** Submits all that was recorded, also what is held. */
  submitHeld(): void {
    this.capture?.refuse();
    this.flush();
    for (const act of this.#held?.splice(0) ?? []) act();
  }

  #hand(act: () => void): void {
    if (this.#held) this.#held.push(act);
    else act();
  }

  /** The GPU has nothing to do: so the next submission is a short one. */
  drained(): void {
    this.#slots = FIRST_SLOTS;
    this.isBusy = false;
  }

  /** Forgets bind groups: their buffers are gone. */
  dropBindGroups(): void {
    this.#dropped += this.#groups.size;
    this.#groups.clear();
    if (this.#dropped < MOST_BIND_GROUPS) return;
    this.#dropped = 0;
    collectGarbage();
  }

  dispose(): void {
    this.#groups.clear();
    this.#pipelines.clear();
    this.#arena.destroy();
  }

  #openPass(name: string): GPUComputePassEncoder {
    if (this.#pass) return this.#pass;
    this.#encoder ??= this.#gpu.createCommandEncoder();
    const timestampWrites = this.profiler?.next(name);
    this.#pass = this.#encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    return this.#pass;
  }

  #closePass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #pipeline(kernel: Kernel): Pipeline {
    let made = this.#pipelines.get(kernel.wgsl);
    if (made) return made;
    const reads = Object.keys(kernel.reads).length;
    const count = reads + Object.keys(kernel.writes).length;
    const entries: GPUBindGroupLayoutEntry[] = Array.from({ length: count }, (_, binding) => ({
      binding,
      visibility: STAGE_COMPUTE,
      buffer: { type: binding < reads ? "read-only-storage" : "storage" },
    }));
    entries.push({ binding: count, visibility: STAGE_COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } });
    const layout = this.#gpu.createBindGroupLayout({ entries, label: kernel.name });
    const module = this.#gpu.createShaderModule({ code: kernel.wgsl, label: kernel.name });
    const pipeline = this.#gpu.createComputePipeline({
      label: kernel.name,
      layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    made = { id: this.#pipelines.size, pipeline, layout };
    this.#pipelines.set(kernel.wgsl, made);
    return made;
  }

  #group(
    pipelineId: number,
    layout: GPUBindGroupLayout,
    bindings: readonly Binding[],
    label: () => string,
  ): GPUBindGroup {
    let key = `${pipelineId}`;
    for (const b of bindings) key += `|${b.id}:${b.offset}:${b.size}`;
    let group = this.#groups.get(key);
    if (group) return group;
    if (this.#groups.size >= MOST_BIND_GROUPS) this.dropBindGroups();
    const entries: GPUBindGroupEntry[] = bindings.map((b, binding) => ({
      binding,
      resource: { buffer: b.buffer, offset: b.offset, size: b.size },
    }));
    entries.push({ binding: bindings.length, resource: { buffer: this.#arena, size: UNIFORM_SLOT } });
    group = this.#gpu.createBindGroup({ layout, entries, label: label() });
    this.#groups.set(key, group);
    return group;
  }
}

function writeUniforms(view: DataView, offset: number, kernel: Kernel, values: readonly number[]): void {
  const types = Object.values(kernel.uniforms);
  if (types.length !== values.length) {
    throw new TensorError("argument", `${kernel.name} takes ${types.length} uniforms, not ${values.length}`);
  }
  let at = offset;
  for (const [i, value] of values.entries()) {
    if (types[i] === "f32") view.setFloat32(at, value, true);
    else if (types[i] === "i32") view.setInt32(at, value, true);
    else view.setUint32(at, value, true);
    at += 4;
  }
}

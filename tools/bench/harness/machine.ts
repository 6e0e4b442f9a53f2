// What the adapter can do at most: a multiply-add loop in registers, and the best of a few copy kernels. Measured in every run.

import { installNavigator } from "./dawn.ts";
import { politely } from "./measure.ts";
import { uniform } from "./random.ts";
import type { Case, Library, Prepared, Probe, Workload } from "./types.ts";

interface MachineCase extends Case {
  readonly bound: "multiplyAdd" | "copy";
  readonly code: string;
  readonly groups: number;
}

const copied = 4 * 2 ** 20; // f32 values, 16 MiB

function copy(name: string, workgroup: number, perThread: number): MachineCase {
  const threads = copied / 4 / perThread;
  const lines = Array.from({ length: perThread }, (_, i) => `y[id.x + ${i * threads}u] = x[id.x + ${i * threads}u];`);
  return {
    name,
    unit: "GB/s",
    work: copied * 4 * 2, // read and written
    bound: "copy",
    tolerance: 0,
    groups: threads / workgroup,
    code: `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${workgroup}) fn main(@builtin(global_invocation_id) id: vec3u) {
  ${lines.join("\n  ")}
}`,
  };
}

const iterations = 1024;
const unrolled = 4;
const peakGroups = 256;
const peakThreads = peakGroups * 64;

/** Four vec4 sums: enough independent chains to fill the pipelines, few enough to stay in registers. */
const peak: MachineCase = {
  name: "multiply-add in registers",
  unit: "GFLOP/s",
  work: peakThreads * iterations * unrolled * 4 * 4 * 2,
  bound: "multiplyAdd",
  tolerance: 1e-3,
  groups: peakGroups,
  code: `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = x[0] * 0.5 + 0.5; // |factor| < 1: the sums stay bounded
  let term = x[1];
  var a = vec4f(); var b = vec4f(1); var c = vec4f(2); var d = vec4f(3);
  let count = ${iterations}u + min(id.x, arrayLength(&y)) / arrayLength(&y); // a bound that the compiler does not know
  for (var i = 0u; i < count; i++) {
    ${"a = fma(a, factor, term); b = fma(b, factor, term); c = fma(c, factor, term); d = fma(d, factor, term);\n    ".repeat(unrolled)}
  }
  y[id.x] = a + b + c + d;
}`,
};

export const machine: Workload<MachineCase> = {
  name: "machine",
  cases: [peak, copy("copy, 64 threads", 64, 1), copy("copy, 256 threads", 256, 1), copy("copy, 4 a thread", 64, 4)],
  inputs: () => ({ x: uniform(1, copied) }),
  expected(of): Probe[] {
    const { x } = machine.inputs(of) as { x: Float32Array };
    const indices = [0, 1, 12345, 65535];
    if (of.bound === "copy") return [{ output: "y", indices, values: indices.map((i) => x[i] as number) }];
    const limit = (lane: number): number => {
      // a long geometric series has reached its limit
      return (4 * (x[4 + lane] as number)) / (1 - ((x[lane] as number) * 0.5 + 0.5));
    };
    return [{ output: "y", indices, values: indices.map((i) => limit(i % 4)) }];
  },
};

export async function openMachine(): Promise<Library<MachineCase> & { adapter: AdapterSummary }> {
  const adapter = await installNavigator().requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("no WebGPU adapter: run scripts/setup-gpu.sh");
  const device = await adapter.requestDevice();
  const summary = summarize(adapter.info);
  const { software } = summary;
  return {
    versions: {},
    adapter: summary,
    prepare: async (of, inputs) => prepare(device, of, inputs.x as Float32Array<ArrayBuffer>, software),
  };
}

export interface AdapterSummary {
  readonly description: string;
  /** Runs on the CPU, so that its CPU time is its own time. */
  readonly software: boolean;
}

function summarize(info: GPUAdapterInfo): AdapterSummary {
  const description = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ");
  return { description, software: /llvmpipe|lavapipe|swiftshader|basic render|warp/i.test(description) };
}

/** Copies of the buffers on a card, in turns: more together than its cache holds. */
const ROTATED = 16;
/** Runs that a card is given at once: one alone is shorter than its submission. */
const AT_ONCE = 64;

function prepare(device: GPUDevice, of: MachineCase, x: Float32Array<ArrayBuffer>, software: boolean): Prepared {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const buffer = (usage: number): GPUBuffer => device.createBuffer({ size: x.byteLength, usage });
  const pairs = Array.from({ length: software || of.bound !== "copy" ? 1 : ROTATED }, () => {
    const [source, target] = [buffer(STORAGE | COPY_DST), buffer(STORAGE | COPY_SRC)] as const;
    device.queue.writeBuffer(source, 0, x);
    return { source, target };
  });
  const module = device.createShaderModule({ code: of.code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const groups = pairs.map(({ source, target }) => {
    const entries = [source, target].map((buffer, binding) => ({ binding, resource: { buffer } }));
    return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  });
  let [waiting, next] = [0, 0];
  const submit = (): void => {
    if (waiting === 0) return;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (; waiting > 0; waiting--) {
      pass.setBindGroup(0, groups[next++ % groups.length] as GPUBindGroup);
      pass.dispatchWorkgroups(of.groups);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  return {
    run() {
      waiting++;
      if (waiting === (software ? 1 : AT_ONCE)) submit();
    },
    finish() {
      submit();
      return politely(device.queue.onSubmittedWorkDone());
    },
    async outputs() {
      submit();
      const read = buffer(MAP_READ | COPY_DST);
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer((pairs[0] as { target: GPUBuffer }).target, 0, read, 0, x.byteLength);
      device.queue.submit([encoder.finish()]);
      await politely(read.mapAsync(GPUMapMode.READ));
      const y = new Float32Array(read.getMappedRange().slice(0));
      read.destroy();
      return { y };
    },
    dispose() {
      for (const { source, target } of pairs) {
        source.destroy();
        target.destroy();
      }
    },
  };
}

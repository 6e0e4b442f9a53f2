// What the adapter can do at most: arithmetic, memory, and the cost of starting work. Buffers are larger than caches where memory is meant.
import { type Device, defineKernel, fill, type Kernel, type Tensor } from "@iapo/tensor-core";
import type { PartContext } from "./context.ts";
import type { Found } from "./report.ts";
import { secondsOf } from "./timing.ts";

const THREADS = 256;
const GROUPS_ACROSS = 32768;
const MIB = 2 ** 20;

/** Four vec4 sums: enough independent chains to fill the pipelines, few enough to stay in registers. |factor| < 1 keeps them bounded. */
const multiplyAdds = defineKernel(() => ({
  name: "doctor_multiply_adds",
  reads: { x: "vec4f" },
  writes: { y: "vec4f" },
  uniforms: { count: "u32" },
  code: `@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = x[0] * 0.5; let term = x[1];
  var a = vec4f(f32(id.x)); var b = vec4f(1); var c = vec4f(2); var d = vec4f(3);
  for (var i = 0u; i < P.count; i++) {
    ${"a = fma(a, factor, term); b = fma(b, factor, term); c = fma(c, factor, term); d = fma(d, factor, term);\n    ".repeat(4)}
  }
  y[id.x] = a + b + c + d;
}`,
}));
const FLOPS_PER_ROUND = 4 * 4 * 4 * 2;

const place = `let i = (group.y * groups.x + group.x) * ${THREADS}u + local;`;
const arguments_ =
  "@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32";

const copy = defineKernel(() => ({
  name: "doctor_copy",
  reads: { x: "vec4f" },
  writes: { y: "vec4f" },
  uniforms: { items: "u32" },
  code: `@compute @workgroup_size(${THREADS}) fn main(${arguments_}) { ${place} if (i < P.items) { y[i] = x[i]; } }`,
}));

/** Each thread reads `rounds` values, its neighbors those beside them; nothing is written, which the compiler cannot know. */
const read = defineKernel(() => ({
  name: "doctor_read",
  reads: { x: "vec4f" },
  writes: { y: "vec4f" },
  uniforms: { items: "u32", threads: "u32", rounds: "u32" },
  code: `@compute @workgroup_size(${THREADS}) fn main(${arguments_}) {
  ${place}
  var sum = vec4f();
  for (var round = 0u; round < P.rounds; round++) { sum += x[(i + round * P.threads) % P.items]; }
  if (sum.x == 1.2345e30) { y[0] = sum; }
}`,
}));

const workgroupMemory = defineKernel(() => ({
  name: "doctor_workgroup_memory",
  reads: { x: "vec4f" },
  writes: { y: "vec4f" },
  uniforms: { rounds: "u32" },
  code: `var<workgroup> shared_values: array<vec4f, ${THREADS}>;
@compute @workgroup_size(${THREADS}) fn main(${arguments_}) {
  ${place}
  shared_values[local] = x[local];
  workgroupBarrier();
  var sum = vec4f();
  for (var round = 0u; round < P.rounds; round++) { sum += shared_values[(local + round) % ${THREADS}u]; }
  if (sum.x == 1.2345e30) { y[i] = sum; }
}`,
}));

const step = defineKernel(() => ({
  name: "doctor_step",
  reads: {},
  writes: { y: "f32" },
  uniforms: {},
  code: "@compute @workgroup_size(1) fn main() { y[0] += 1.0; }",
}));

function gridOf(threads: number): [number, number] {
  const groups = Math.ceil(threads / THREADS);
  return groups <= GROUPS_ACROSS ? [groups, 1] : [GROUPS_ACROSS, Math.ceil(groups / GROUPS_ACROSS)];
}

/** Bytes of a buffer that no cache holds: 1 GiB, or what the adapter binds and has room for. */
function largeBytes({ facts, pool }: Device, isSmall: boolean): number {
  const room = Number.isFinite(pool.budget) ? pool.budget / 4 : 2 ** 30;
  const bytes = isSmall ? 64 * MIB : Math.min(2 ** 30, facts.maxBinding, room);
  return Math.floor(bytes / MIB) * MIB;
}

export async function measurePeaks({ device, isSmall }: PartContext): Promise<Found<"peaks">> {
  const seconds = isSmall ? 0.05 : 0.4;
  const large = largeBytes(device, isSmall);
  const cached = isSmall ? MIB / 4 : 8 * MIB;
  const tensors: Tensor[] = [];
  const room = (bytes: number): Tensor => {
    const made = device.empty([bytes / 4]);
    tensors.push(made);
    return made;
  };
  const [source, target] = [room(large), room(large)];
  const small = fill(device, [cached / 4], 0.9);
  tensors.push(small);
  const run = (kernel: Kernel, reads: Tensor[], uniforms: number[], threads: number, write = target) =>
    secondsOf(
      device,
      () => device.dispatch(kernel, { reads, writes: [write], uniforms, groups: gridOf(threads) }),
      seconds,
    );
  const figures: Record<string, { value: number; unit: string }> = {};
  const keep = (name: string, value: number, unit: string): void => {
    figures[name] = { value, unit };
  };
  try {
    device.dispatch(copy(), { reads: [source], writes: [target], uniforms: [large / 16], groups: gridOf(large / 16) }); // so that all is there
    const threads = isSmall ? 2 ** 14 : 2 ** 18;
    const rounds = isSmall ? 256 : 1024;
    keep(
      "f32 multiply-add",
      (threads * rounds * FLOPS_PER_ROUND) / (await run(multiplyAdds(), [small], [rounds], threads)) / 1e9,
      "GFLOP/s",
    );
    keep("copy", (2 * large) / (await run(copy(), [source], [large / 16], large / 16)) / 1e9, "GB/s");
    const readers = large / 16 / 16;
    keep("read", large / (await run(read(), [source], [large / 16, readers, 16], readers)) / 1e9, "GB/s");
    const again = 64;
    const inCache = await run(read(), [small], [cached / 16, threads, again], threads);
    keep("read from cache", (threads * again * 16) / inCache / 1e9, "GB/s");
    const inWorkgroup = await run(workgroupMemory(), [small], [rounds], threads);
    keep("workgroup memory", (threads * rounds * 16) / inWorkgroup / 1e9, "GB/s");
    await measureStarts(device, small, isSmall, keep);
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
  return figures;
}

/** What it costs to begin: a dispatch behind another, a submission, a readback, an upload, and recording on the CPU. */
async function measureStarts(
  device: Device,
  counter: Tensor,
  isSmall: boolean,
  keep: (name: string, value: number, unit: string) => void,
): Promise<void> {
  const count = isSmall ? 200 : 1000;
  const one = (): void => device.dispatch(step(), { reads: [], writes: [counter], groups: [1] });
  const chain = (): void => {
    for (let i = 0; i < count; i++) one();
  };
  keep("dispatch behind a dispatch", ((await secondsOf(device, chain, 0)) / count) * 1e6, "us");
  const recording = performance.now();
  chain();
  keep("recording a dispatch", ((performance.now() - recording) / count) * 1e3, "us");
  await device.idle();
  const repeated = async (work: () => Promise<unknown>): Promise<number> => {
    await work();
    const start = performance.now();
    for (let i = 0; i < count / 20; i++) await work();
    return ((performance.now() - start) / (count / 20)) * 1e3;
  };
  keep(
    "a submission, waited for",
    await repeated(async () => {
      one();
      await device.idle();
    }),
    "us",
  );
  const word = device.tensor([0], [1]);
  keep("a readback of 4 bytes", await repeated(() => word.read()), "us");
  word.dispose();
  const values = new Float32Array(((isSmall ? 8 : 64) * MIB) / 4);
  const target = device.empty([values.length]);
  const upload = await secondsOf(device, () => target.write(values), 0);
  target.dispose();
  keep("upload", values.byteLength / upload / 1e9, "GB/s");
}

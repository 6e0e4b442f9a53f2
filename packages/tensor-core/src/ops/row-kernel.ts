// Kernels that work on rows: one thread a row on software adapters, one workgroup of 64 lanes a row elsewhere. One text serves both: lanes
// stride over a row, and `across_sum`, `across_max` join what they found (in lane order, so bits depend on the width only).
import type { Device } from "../device/device.ts";
import type { DType } from "../dtype.ts";
import {
  defineKernel,
  type Kernel,
  type KernelSpec,
  type KernelVariant,
  type StorageElement,
  type UniformType,
} from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { minusInfinityWgsl, nonFiniteWgsl } from "./non-finite-wgsl.ts";
import { grid } from "./wgsl.ts";

/** `V` stands for vec4f where rows are a multiple of 4 wide, else for f32. */
export type RowElement = StorageElement | "V";

export interface RowKernel {
  readonly reads: Readonly<Record<string, RowElement>>;
  readonly writes: Readonly<Record<string, RowElement>>;
  readonly uniforms?: Readonly<Record<string, UniformType>>;
  /** WGSL functions that `code` calls. */
  readonly helpers?: string;
  /** WGSL with `row`, `lane`, `base` (start of the row, in Vs), `P.width` (in Vs), `P.columns` (elements, f32) and `P.lanes`. */
  readonly code: string;
}

const ROWS_PER_GROUP = 16;
export const LANES = 64;
/** Vs that one accumulator takes in before its sum is put away. */
export const BLOCK = 64;

/** A row kernel of some variant: by whether `V` is a vec4f, and by whether a row is one thread's. */
export type RowKernelVariants = (wide: boolean, oneThread: boolean) => Kernel;

/** Row kernels in their variants: `kernel(...variant)` is what `dispatchRows` takes. */
export function defineRowKernel<V extends readonly KernelVariant[]>(
  name: (...variant: V) => string,
  build: (wide: boolean, ...variant: V) => RowKernel,
): (...variant: V) => RowKernelVariants {
  const kernel = defineKernel((wide: boolean, oneThread: boolean, ...variant: V) => ({
    name: `${name(...variant)}${wide ? "/vec4" : ""}${oneThread ? "" : "/workgroup"}`,
    ...assemble(build(wide, ...variant), wide, oneThread),
  }));
  return (...variant) =>
    (wide, oneThread) =>
      kernel(wide, oneThread, ...variant);
}

/** Records the kernel over `rows` rows of `columns` elements. */
export function dispatchRows(
  device: Device,
  kernel: RowKernelVariants,
  call: {
    readonly reads: readonly Tensor[];
    readonly writes: readonly Tensor[];
    readonly rows: number;
    readonly columns: number;
    readonly uniforms?: readonly number[];
  },
): void {
  const { rows, columns } = call;
  const wide = columns % 4 === 0;
  const oneThread = device.facts.family === "software";
  device.dispatch(kernel(wide, oneThread), {
    reads: call.reads,
    writes: call.writes,
    uniforms: [rows, wide ? columns / 4 : columns, columns, oneThread ? 1 : LANES, ...(call.uniforms ?? [])],
    groups: grid(device, rows, oneThread ? ROWS_PER_GROUP : 1),
  });
}

/** WGSL that sums over a row. `steps`: by accumulator name, its next value from itself and the V at `at` (in the row: `k`). Gives f32 of these names. */
export function sumOverRow(steps: Readonly<Record<string, string>>): string {
  const names = Object.keys(steps);
  return `
${names.map((n) => `  var ${n}_total = V(0.0);`).join("\n")}
  for (var block = 0u; block < P.width; block += ${BLOCK}u * P.lanes) {
    let end = min(block + ${BLOCK}u * P.lanes, P.width);
${names.map((n) => `    var ${n} = V(0.0);`).join("\n")}
    for (var k = block + lane; k < end; k += P.lanes) {
      let at = base + k;
${names.map((n) => `      ${n} = ${steps[n]};`).join("\n")}
    }
${names.map((n) => `    ${n}_total = ${n}_total + ${n};`).join("\n")}
  }
${names.map((n) => `  let ${n} = across_sum(fold_sum(${n}_total), lane);`).join("\n")}`;
}

/** WGSL of `let name = ` the largest element of a row of the V array `array`. */
export function maxOverRow(name: string, array: string): string {
  return `
  var ${name}_total = V(minus_infinity());
  for (var k = lane; k < P.width; k += P.lanes) { ${name}_total = nan_max(${name}_total, ${array}[base + k]); }
  let ${name} = across_max(fold_max(${name}_total), lane);`;
}

/** WGSL of a loop over the row; `statement` sees `k` and `at`. */
export function eachOfRow(statement: string): string {
  return `
  for (var k = lane; k < P.width; k += P.lanes) {
    let at = base + k;
    ${statement}
  }`;
}

/** Array type and WGSL `fn name(k) -> V` of a per-column array `name_data` that may be bf16, two to a word. */
export function columnLoad(name: string, dtype: DType, wide: boolean): { element: StorageElement; helper: string } {
  if (dtype === "f32")
    return { element: wide ? "vec4f" : "f32", helper: `fn ${name}(k: u32) -> V { return ${name}_data[k]; }` };
  if (!wide) {
    const half = `select(word << 16u, word & 0xffff0000u, (k & 1u) == 1u)`;
    return {
      element: "u32",
      helper: `fn ${name}(k: u32) -> V { let word = ${name}_data[k >> 1u]; return bitcast<f32>(${half}); }`,
    };
  }
  const halves = "w.x << 16u, w.x & 0xffff0000u, w.y << 16u, w.y & 0xffff0000u";
  return {
    element: "vec2u",
    helper: `fn ${name}(k: u32) -> V { let w = ${name}_data[k]; return bitcast<vec4f>(vec4u(${halves})); }`,
  };
}

function assemble(spec: RowKernel, wide: boolean, oneThread: boolean): Omit<KernelSpec, "name"> {
  const vector = wide ? "vec4f" : "f32";
  const typed = (arrays: Readonly<Record<string, RowElement>>) =>
    Object.fromEntries(Object.entries(arrays).map(([n, e]) => [n, e === "V" ? vector : e]));
  return {
    reads: typed(spec.reads),
    writes: typed(spec.writes),
    uniforms: { rows: "u32", width: "u32", columns: "f32", lanes: "u32", ...spec.uniforms },
    code: `alias V = ${vector};
fn fold_sum(v: V) -> f32 { return ${wide ? "(v.x + v.y) + (v.z + v.w)" : "v"}; }
${nonFiniteWgsl({ float: vector, bits: wide ? "vec4u" : "u32" })}${minusInfinityWgsl}
fn max_of_two(a: f32, b: f32) -> f32 {
  let nan = vec2<bool>((bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u, (bitcast<u32>(b) & 0x7fffffffu) > 0x7f800000u);
  return select(select(max(a, b), b, nan.y), a, nan.x);
}
fn fold_max(v: V) -> f32 { return ${wide ? "max_of_two(max_of_two(v.x, v.y), max_of_two(v.z, v.w))" : "v"}; }
${spec.helpers ?? ""}
${oneThread ? oneThreadHead : workgroupHead}
  if (row >= P.rows) { return; }
  let base = row * P.width;
${spec.code}
}`,
  };
}

const builtins =
  "@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32";

const oneThreadHead = `
fn across_sum(value: f32, lane: u32) -> f32 { return value; }
fn across_max(value: f32, lane: u32) -> f32 { return value; }
@compute @workgroup_size(${ROWS_PER_GROUP})
fn main(${builtins}) {
  let row = (group.y * groups.x + group.x) * ${ROWS_PER_GROUP}u + local;
  let lane = 0u;`;

const across = (name: string, initial: string, joined: string) => `
fn ${name}(value: f32, lane: u32) -> f32 {
  parts[lane] = value;
  workgroupBarrier();
  var result = ${initial};
  for (var i = 0u; i < P.lanes; i++) { result = ${joined}; }
  workgroupBarrier();
  return result;
}`;

const workgroupHead = `
var<workgroup> parts: array<f32, ${LANES}>;${across("across_sum", "0.0", "result + parts[i]")}${across("across_max", "parts[0]", "max_of_two(result, parts[i])")}
@compute @workgroup_size(${LANES})
fn main(${builtins}) {
  let row = group.y * groups.x + group.x;
  let lane = local;`;

/** A tensor as rows of its last dimension. */
export function asRows(x: Tensor): { rows: number; columns: number } {
  const columns = x.shape.at(-1) ?? 1;
  return { rows: columns === 0 ? 0 : x.size / columns, columns };
}

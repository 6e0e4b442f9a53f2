// Brings an operand into the K-major f32 form of the tile kernel: transposes rows, widens bf16, pads to groups of four.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { THREADS } from "../wgsl.ts";
import type { KMajor } from "./tile.ts";

/** A stored operand, `batch` times: `rows` x `columns` from element `start` on, in rows of `stride` elements. */
export interface Stored {
  readonly tensor: Tensor;
  readonly rows: number;
  readonly columns: number;
  readonly start: number;
  readonly stride: number;
  readonly batch: number;
  /** Elements from one matrix of the batch to the next. */
  readonly batchStride: number;
}

const X = 8;
const Y = THREADS / X;

const kernel = defineKernel((transposes: boolean, bf16: boolean, wide: boolean) => ({
  name: `matmul_${transposes ? "transpose" : "widen"}${bf16 ? "/bf16" : ""}${wide ? "/vec4" : ""}`,
  reads: { source: bf16 ? (wide ? "vec2u" : "u32") : wide ? "vec4f" : "f32" },
  writes: { out: "vec4f" },
  uniforms: {
    rows: "u32",
    columns: "u32",
    start: "u32",
    stride: "u32",
    sourceBatch: "u32",
    outStride: "u32",
    outBatch: "u32",
  },
  code: /* wgsl */ `
${readFour(bf16, wide)}
@compute @workgroup_size(${X}, ${Y})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let origin = id.z * P.sourceBatch + P.start;
  let to = id.z * P.outBatch;
${transposes ? transposeBody : "  if (id.x < P.outStride && id.y < P.rows) { out[to + id.y * P.outStride + id.x] = four(origin + id.y * P.stride + id.x * 4u); }"}
}`,
}));

/** `four(at)`: elements at to at + 3. */
function readFour(bf16: boolean, wide: boolean): string {
  if (!bf16)
    return `fn four(at: u32) -> vec4f { return ${wide ? "source[at >> 2u]" : "vec4f(source[at], source[at + 1u], source[at + 2u], source[at + 3u])"}; }`;
  return `fn four(at: u32) -> vec4f {
  let words = ${wide ? "source[at >> 2u]" : "vec2u(source[at >> 1u], source[(at >> 1u) + 1u])"};
  let bits = vec4u(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u);
  return bitcast<vec4f>(bits);
}`;
}

// x: groups of four source rows; y: groups of four source columns.
const transposeBody = /* wgsl */ `  if (id.x >= P.outStride) { return; }
  let row = id.x * 4u;
  let column = id.y * 4u;
  let last = P.rows - 1u;
  let r0 = four(origin + row * P.stride + column);
  let r1 = four(origin + min(row + 1u, last) * P.stride + column);
  let r2 = four(origin + min(row + 2u, last) * P.stride + column);
  let r3 = four(origin + min(row + 3u, last) * P.stride + column);
  let at = to + column * P.outStride + id.x;
  if (column < P.columns) { out[at] = vec4f(r0.x, r1.x, r2.x, r3.x); }
  if (column + 1u < P.columns) { out[at + P.outStride] = vec4f(r0.y, r1.y, r2.y, r3.y); }
  if (column + 2u < P.columns) { out[at + 2u * P.outStride] = vec4f(r0.z, r1.z, r2.z, r3.z); }
  if (column + 3u < P.columns) { out[at + 3u * P.outStride] = vec4f(r0.w, r1.w, r2.w, r3.w); }`;

/** `stored` as a K-major operand: itself where it is one, else a packed copy, which is added to `temporary` unless the device keeps it. */
export function kMajor(device: Device, stored: Stored, transposes: boolean, temporary: Tensor[]): KMajor {
  const { tensor, rows, columns, start, stride, batch, batchStride } = stored;
  if (!transposes && isWide(stored) && tensor.dtype === "f32")
    return { tensor, start: start / 4, stride: stride / 4, batchStride: batchStride / 4 };
  const [k, width] = transposes ? [columns, rows] : [rows, columns];
  const groups = Math.ceil(width / 4);
  const pack = (): Tensor => packedCopy(device, stored, transposes, k, groups);
  const layout = [transposes, rows, columns, start, stride, batch, batchStride].join(",");
  const kept = device.packed?.keeps(16 * batch * k * groups) ? device.packed : undefined;
  const packed = kept ? kept.get(tensor, layout, pack) : pack();
  if (!kept) temporary.push(packed);
  return { tensor: packed, start: 0, stride: groups, batchStride: groups * k };
}

/** Whether its rows can be read by fours. */
function isWide({ start, stride, batchStride }: Stored): boolean {
  return [start, stride, batchStride].every((elements) => elements % 4 === 0);
}

/** [batch, k, groups * 4] */
function packedCopy(device: Device, stored: Stored, transposes: boolean, k: number, groups: number): Tensor {
  const { tensor, rows, columns, start, stride, batch, batchStride } = stored;
  const packed = device.empty([batch, k, groups * 4]);
  device.dispatch(kernel(transposes, tensor.dtype === "bf16", isWide(stored)), {
    reads: [tensor],
    writes: [packed],
    uniforms: [rows, columns, start, stride, batchStride, groups, groups * k],
    groups: [Math.ceil(groups / X), Math.ceil((transposes ? Math.ceil(columns / 4) : rows) / Y), batch],
  });
  return packed;
}

// Powers of two that bring the rows of an operand into the range of f16: the largest number of a row comes between 512 and 1024. So a sum of 256
// products is far from f32's bounds, and two halves of f16 lose at most 2^-23 of a number, or 2^-34 of its row's largest.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { int8Wgsl } from "../int8/int8-wgsl.ts";
import { grid } from "../wgsl.ts";
import { range } from "./canonical.ts";
import { elementTypes, fourOf } from "./panels.ts";
import { type Element, scaleUniforms, suffixOf } from "./problem.ts";

/** Lanes of a row whose elements are neighbors. */
const ALONG = 64;
/** Threads by fours of columns, where rows are neighbors. */
const ACROSS = { fours: 8, deep: 32 } as const;

/** `power(most)`: from the largest bits of a row's magnitudes, of which infinity and NaN are the largest of all. */
const powerWgsl = /* wgsl */ `
fn power(most: u32) -> f32 { return bitcast<f32>(clamp(263u - (most >> 23u), 1u, 253u) << 23u); }`;

const magnitudes = (four: string): string => `(bitcast<vec4u>(${four}) & vec4u(0x7fffffffu))`;

const kernel = defineKernel((element: Element, kMajor: boolean) => ({
  name: `matmul_scales${suffixOf(element)}/${kMajor ? "across" : "along"}`,
  reads: { b: elementTypes[element], ...(element === "int8" && { scales: "f32" }) },
  writes: { out: "f32" },
  uniforms: {
    ...{ rows: "u32", depth: "u32", stride: "u32", column: "u32" },
    ...(element === "int8" && scaleUniforms),
  },
  code: `${powerWgsl}${element === "int8" ? int8Wgsl : ""}${kMajor ? across(element) : along(element)}`,
}));

/** A workgroup a row. */
const along = (element: Element): string => /* wgsl */ `
var<workgroup> parts: array<u32, ${ALONG}>;
@compute @workgroup_size(${ALONG})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= P.rows) { return; }
  let first = (P.column + row * P.stride) / 4u;
  var most = vec4u();
  for (var d = lane; d < P.depth / 4u; d += ${ALONG}u) { most = max(most, ${magnitudes(fourOf[element]("(first + d)"))}); }
  parts[lane] = max(max(most.x, most.y), max(most.z, most.w));
  workgroupBarrier();
  if (lane > 0u) { return; }
  var whole = 0u;
  for (var i = 0u; i < min(${ALONG}u, P.depth); i++) { whole = max(whole, parts[i]); }
  out[row] = power(whole);
}`;

/** Rows are neighbors: a thread has four of them, and every ${ACROSS.deep}th k. */
const across = (element: Element): string => /* wgsl */ `
var<workgroup> parts: array<vec4u, ${ACROSS.fours * ACROSS.deep}>;
@compute @workgroup_size(${ACROSS.fours * ACROSS.deep})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let four = (group.y * groups.x + group.x) * ${ACROSS.fours}u + thread % ${ACROSS.fours}u;
  let isRow = four < P.rows / 4u;
  var most = vec4u();
  for (var d = thread / ${ACROSS.fours}u; isRow && d < P.depth; d += ${ACROSS.deep}u) {
    most = max(most, ${magnitudes(fourOf[element]("((P.column + d * P.stride) / 4u + four)"))});
  }
  parts[thread] = most;
  workgroupBarrier();
  if (thread >= ${ACROSS.fours}u || !isRow) { return; }
  for (var i = 1u; i < min(${ACROSS.deep}u, P.depth); i++) { most = max(most, parts[i * ${ACROSS.fours}u + thread]); }
  ${range(4)
    .map((c) => `out[four * 4u + ${c}u] = power(most.${"xyzw"[c]});`)
    .join("\n  ")}
}`;

/** An operand: `rows` of the product, each over `depth` elements of K, `stride` elements from a row to the next, or from a k to the next. */
export interface Scaled {
  readonly tensor: Tensor;
  readonly element: Element;
  /** Of eight bits. */
  readonly scales?: Tensor | undefined;
  readonly kMajor: boolean;
  readonly rows: number;
  readonly depth: number;
  readonly stride: number;
  readonly column: number;
  readonly uniforms: readonly number[];
}

/** The power of two of each row, f32 `[rows]`. */
export function powersOf(device: Device, operand: Scaled): Tensor {
  const { tensor, element, scales, kMajor, rows, depth, stride, column, uniforms } = operand;
  const out = device.empty([rows]);
  device.dispatch(kernel(element, kMajor), {
    reads: [tensor, ...(scales ? [scales] : [])],
    writes: [out],
    uniforms: [rows, depth, stride, column, ...uniforms],
    groups: kMajor ? grid(device, rows / 4, ACROSS.fours) : grid(device, rows, 1),
  });
  return out;
}

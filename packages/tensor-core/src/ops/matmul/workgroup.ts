// Real GPUs, operands that cannot be read by fours: a 64 x 64 tile of 256 threads, 4 x 4 outputs each, from panels of 16 k in workgroup memory (8.2 KiB).
// Loop bounds come as uniforms: a software adapter, which runs this family in tests, would take seconds to unroll constant ones.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { range, startWgsl, weightWgsl } from "./canonical.ts";
import { bindingsOf, type Problem, problemUniforms, uniformsOf } from "./problem.ts";

const TILE = 64;
const DEPTH = 16;
const SIDE = 16;
const THREADS = SIDE * SIDE;
/** Row length of a panel: one more than the tile, which keeps the writes of a transposed panel out of each other's banks. */
const ROW = TILE + 1;

/** Loads a panel: neighboring threads read neighboring addresses, along the tile where the operand is K-major, else along k. */
function load(panel: string, kMajor: boolean, value: string, size: string): string {
  const place = kMajor
    ? `let i = thread % ${TILE}u; let d = thread / ${TILE}u + step * ${THREADS / TILE}u;`
    : `let d = thread % ${DEPTH}u; let i = thread / ${DEPTH}u + step * ${THREADS / DEPTH}u;`;
  return `for (var step = 0u; step < P.steps; step++) {
      ${place}
      let k = first + d;
      let at = ${panel}First + i;
      var value = 0.0;
      if (k < P.k && at < ${size}) { value = ${value}; }
      ${panel}[d * ${ROW}u + i] = value;
    }`;
}

const kernel = defineKernel((layout: Problem["layout"], bf16: boolean) => {
  const aAt = layout === "tn" ? "k * P.aStride + at" : "at * P.aStride + k";
  const bAt = layout === "nt" ? "at * P.k + k" : "k * P.n + at";
  const each = range(4).flatMap((i) => range(4).map((j) => ({ i, j })));
  return {
    name: `matmul_workgroup/${layout}${bf16 ? "/bf16" : ""}`,
    reads: { a: "f32", b: bf16 ? "u32" : "f32", bias: "f32" },
    writes: { out: "f32" },
    uniforms: { ...problemUniforms, depth: "u32", steps: "u32" },
    code: /* wgsl */ `
${weightWgsl(bf16)}
${startWgsl}
var<workgroup> rows: array<f32, ${DEPTH * ROW}>;
var<workgroup> columns: array<f32, ${DEPTH * ROW}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let rowsFirst = group.y * ${TILE}u;
  let columnsFirst = group.x * ${TILE}u;
  let aBase = group.z * P.m * P.k + P.aColumn;
  let bBase = group.z * P.n * P.k;
  // A thread's rows and columns lie ${SIDE} apart, so that neighbors read neighboring words of a panel.
  let row = thread / ${SIDE}u;
  let column = thread % ${SIDE}u;
  let outAt = group.z * P.m * P.outStride + (rowsFirst + row) * P.outStride + P.outColumn + columnsFirst + column;
  var total: array<vec4f, 4>;
  var sum: array<vec4f, 4>;
  ${each.map(({ i, j }) => `if (${inside(i, j)}) { total[${i}][${j}] = start(${outOf(i, j)}, columnsFirst + column + ${j * SIDE}u); }`).join("\n  ")}
  for (var first = 0u; first < P.k; first += ${DEPTH}u) {
    ${load("rows", layout === "tn", `a[aBase + ${aAt}]`, "P.m")}
    ${load("columns", layout !== "nt", `weight(bBase + ${bAt})`, "P.n")}
    workgroupBarrier();
    for (var d = 0u; d < P.depth; d++) {
      let r = d * ${ROW}u + row;
      let c = d * ${ROW}u + column;
      let b = vec4f(columns[c], columns[c + ${SIDE}u], columns[c + ${2 * SIDE}u], columns[c + ${3 * SIDE}u]);
      ${range(4)
        .map((i) => `sum[${i}] = fma(vec4f(rows[r + ${i * SIDE}u]), b, sum[${i}]);`)
        .join("\n      ")}
    }
    workgroupBarrier();
    if ((first + ${DEPTH}u) % P.block == 0u || first + ${DEPTH}u >= P.k) {
      ${range(4)
        .map((i) => `total[${i}] += sum[${i}]; sum[${i}] = vec4f();`)
        .join("\n      ")}
    }
  }
  ${each.map(({ i, j }) => `if (${inside(i, j)}) { out[${outOf(i, j)}] = total[${i}][${j}]; }`).join("\n  ")}
}`,
  };
});

const inside = (i: number, j: number): string =>
  `rowsFirst + row + ${i * SIDE}u < P.m && columnsFirst + column + ${j * SIDE}u < P.n`;
const outOf = (i: number, j: number): string => `outAt + ${i * SIDE}u * P.outStride + ${j * SIDE}u`;

export function dispatchWorkgroup(device: Device, problem: Problem): void {
  const { layout, b, batch, m, n } = problem;
  device.dispatch(kernel(layout, b.dtype === "bf16"), {
    ...bindingsOf(problem),
    uniforms: [...uniformsOf(problem), DEPTH, (TILE * DEPTH) / THREADS],
    groups: [Math.ceil(n / TILE), Math.ceil(m / TILE), batch],
  });
}

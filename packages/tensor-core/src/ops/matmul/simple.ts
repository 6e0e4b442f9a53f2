// One thread per output: any shape, any device. For small products; it also is the plainest statement of the canonical order.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { K_BLOCK, problemUniforms } from "./canonical.ts";
import type { Problem } from "./dispatch.ts";

const COLUMNS = 8;
const ROWS = 8;

const kernel = (layout: Problem["layout"], bf16: boolean) =>
  defineKernel(`matmul_simple/${layout}${bf16 ? "/bf16" : ""}`, () => {
    const at = layout === "tn" ? "k * P.aStride + row" : "row * P.aStride + k";
    const bAt = layout === "nt" ? "column * P.k + k" : "k * P.n + column";
    return {
      reads: { a: "f32", b: bf16 ? "u32" : "f32", bias: "f32" },
      writes: { out: "f32" },
      uniforms: problemUniforms,
      code: /* wgsl */ `
fn weight(at: u32) -> f32 {
  ${bf16 ? "let word = b[at >> 1u]; return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (at & 1u) == 1u));" : "return b[at];"}
}
@compute @workgroup_size(${COLUMNS}, ${ROWS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y * ${ROWS}u + local.y;
  let column = group.x * ${COLUMNS}u + local.x;
  if (row >= P.m || column >= P.n) { return; }
  let aBase = group.z * P.m * P.k + P.aColumn;
  let bBase = group.z * P.n * P.k;
  let at = group.z * P.m * P.n + row * P.outStride + P.outColumn + column;
  var total = 0.0;
  if ((P.initial & 1u) != 0u) { total = out[at]; }
  if ((P.initial & 2u) != 0u) { total += bias[P.biasStart + column]; }
  for (var first = 0u; first < P.k; first += ${K_BLOCK}u) {
    var sum = 0.0;
    for (var k = first; k < min(P.k, first + ${K_BLOCK}u); k++) { sum = fma(a[aBase + ${at}], weight(bBase + ${bAt}), sum); }
    total += sum;
  }
  out[at] = total;
}`,
    };
  });

export function dispatchSimple(device: Device, problem: Problem): void {
  const { layout, a, b, out, bias, biasStart, batch, m, n, k, aColumns, outColumns, initial } = problem;
  device.dispatch(kernel(layout, b.dtype === "bf16"), {
    reads: [a, b, bias ?? a],
    writes: [out],
    uniforms: [m, n, k, aColumns.stride, aColumns.column, outColumns.stride, outColumns.column, biasStart, initial],
    groups: [Math.ceil(n / COLUMNS), Math.ceil(m / ROWS), batch],
  });
}

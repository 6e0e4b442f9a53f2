// One thread per output: any shape, any device. For small products; it also is the plainest statement of the canonical order.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { startWgsl, weightWgsl } from "./canonical.ts";
import { finishCall, finishText } from "./finish.ts";
import { bindingsOf, type Problem, problemUniforms, uniformsOf } from "./problem.ts";

const COLUMNS = 8;
const ROWS = 8;

const kernel = defineKernel((layout: Problem["layout"], bf16: boolean) => {
  const at = layout === "tn" ? "k * P.aStride + row" : "row * P.aStride + k";
  const bAt = layout === "nt" ? "column * P.k + k" : "k * P.n + column";
  const finishing = finishText("");
  return {
    name: `matmul_simple/${layout}${bf16 ? "/bf16" : ""}`,
    reads: { a: "f32", b: bf16 ? "u32" : "f32", bias: "f32", ...finishing.reads },
    writes: { out: "f32" },
    uniforms: problemUniforms,
    code: /* wgsl */ `
${weightWgsl(bf16)}
${startWgsl}${finishing.code}
@compute @workgroup_size(${COLUMNS}, ${ROWS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y * ${ROWS}u + local.y;
  let column = group.x * ${COLUMNS}u + local.x;
  if (row >= P.m || column >= P.n) { return; }
  let aBase = group.z * P.m * P.k + P.aColumn;
  let bBase = group.z * P.n * P.k;
  let at = group.z * P.m * P.outStride + row * P.outStride + P.outColumn + column;
  var total = start(at, column);
  for (var first = 0u; first < P.k; first += P.block) {
    var sum = 0.0;
    for (var k = first; k < min(P.k, first + P.block); k++) { sum = fma(a[aBase + ${at}], weight(bBase + ${bAt}), sum); }
    total += sum;
  }
  out[at] = finish(at, row, column, total);
}`,
  };
});

export function dispatchSimple(device: Device, problem: Problem): void {
  const { layout, b, batch, m, n } = problem;
  const { reads, writes } = bindingsOf(problem);
  device.dispatch(kernel(layout, b.dtype === "bf16"), {
    reads: [...reads, ...finishCall(problem).reads],
    writes,
    uniforms: uniformsOf(problem),
    groups: [Math.ceil(n / COLUMNS), Math.ceil(m / ROWS), batch],
  });
}

// Chooses and dispatches the backward kernels.
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { fill } from "../fill.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { type AttentionParams, uniformsOf } from "./forward.ts";
import { TILE } from "./plan.ts";
import { softwareKeyGradient, softwareQueryGradient } from "./software-backward.ts";

/** (log-sum-exp, <gradient, output> - gradient of the log-sum-exp) of every row and head. */
const statsKernel = () =>
  defineKernel("attention_stats", () => ({
    reads: { out: "vec4f", g: "vec4f", logSumExp: "f32", gLogSumExp: "f32" },
    writes: { stats: "vec2f" },
    uniforms: { size: "u32", dim4: "u32", flows: "u32" },
    code: `${perItemHead}
  if (i >= P.size) { return; }
  var sum = select(0.0, -gLogSumExp[i], P.flows != 0u);
  for (var d = 0u; d < P.dim4; d++) {
    let a = out[i * P.dim4 + d]; let b = g[i * P.dim4 + d];
    sum = fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
  }
  stats[i] = vec2f(logSumExp[i], sum);
}`,
  }));

/** Gradients of [q, k, v, table]. */
export function backward(
  [q, k, v, table]: readonly Tensor[],
  [out, logSumExp]: readonly Tensor[],
  [gOut, gLogSumExp]: readonly (Tensor | undefined)[],
  needs: readonly boolean[],
  params: AttentionParams,
): readonly (Tensor | undefined)[] {
  const { device } = q!;
  const { plan, heads, kvHeads, headDim } = params;
  const g = gOut ?? fill(device, out!.shape, 0);
  const size = logSumExp!.size;
  const stats = device.empty([size, 2]);
  device.dispatch(statsKernel(), {
    reads: [out!, g, logSumExp!, gLogSumExp ?? logSumExp!],
    writes: [stats],
    uniforms: [size, headDim / 4, gLogSumExp ? 1 : 0],
    groups: grid(device, size),
  });
  const reads = [q!, k!, v!, g, stats, table!];
  const uniforms = uniformsOf(params);
  const lanes = device.facts.subgroupSize;
  const columns = Math.ceil(headDim / 4 / lanes);
  let dq: Tensor | undefined;
  if (needs[0]) {
    const groups = 2;
    dq = device.empty(q!.shape);
    const subtiles = Math.ceil((TILE * heads) / kvHeads / (lanes * groups));
    device.dispatch(softwareQueryGradient({ lanes, groups, columns }), {
      reads,
      writes: [dq],
      uniforms,
      groups: [plan.queryTiles, subtiles, kvHeads],
    });
  }
  if (!needs[1] && !needs[2]) return [dq];
  const groups = 2;
  // Rows beyond all segments are nobody's: their gradient is zero.
  const [dk, dv] = [k!, v!].map(({ shape }) => (shape[0]! > plan.keys ? fill(device, shape, 0) : device.empty(shape)));
  device.dispatch(softwareKeyGradient({ lanes, groups, columns }), {
    reads,
    writes: [dk!, dv!],
    uniforms,
    groups: [plan.keyTiles, TILE / (lanes * groups), kvHeads],
  });
  return [dq, dk, dv];
}

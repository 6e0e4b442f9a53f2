// Chooses and dispatches the backward kernels.
import { rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { fill } from "../fill.ts";
import { grid, perItemHead } from "../wgsl.ts";
import {
  type AttentionInputs,
  type AttentionParams,
  registerTile,
  type TiledKernel,
  uniformsOf,
  workgroupColumns,
} from "./forward.ts";
import { TILE } from "./plan.ts";
import { softwareGradient } from "./software-gradient.ts";
import { dispatchTiles } from "./tiles.ts";
import { workgroupGradient } from "./workgroup-gradient.ts";
import { ROWS } from "./workgroup-text.ts";

/** (log-sum-exp, <gradient, output> - gradient of the log-sum-exp) of every row and head. */
const statsKernel = defineKernel(() => ({
  name: "attention_stats",
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

/** Gradients of [q, k, v, table]. `tilesAtOnce`: as in `forward`. */
export function backward(
  [q, k, v, table]: AttentionInputs,
  [out, logSumExp]: readonly [Tensor, Tensor],
  [gOut, gLogSumExp]: readonly [Tensor | undefined, Tensor | undefined],
  needs: readonly [boolean, boolean, boolean, boolean],
  params: AttentionParams,
  tilesAtOnce?: number,
): readonly [Tensor | undefined, Tensor | undefined, Tensor | undefined, undefined] {
  const { device } = q;
  const { plan, heads, kvHeads, headDim } = params;
  const g = gOut ?? fill(device, out.shape, 0);
  const size = logSumExp.size;
  const stats = device.empty([size, 2]);
  device.dispatch(statsKernel(), {
    reads: [out, g, logSumExp, gLogSumExp ?? logSumExp],
    writes: [stats],
    uniforms: [size, headDim / 4, gLogSumExp ? 1 : 0],
    groups: grid(device, size),
  });
  const gradient = (
    like: Tensor,
    [own, ownError, other, otherError, summed]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor],
    byKey: boolean,
    errors: boolean,
  ): Tensor => {
    // No query reads rows beyond all segments: their gradient is zero.
    const spare = byKey && rowsOf(like) > plan.keys;
    const to = spare ? fill(device, like.shape, 0) : device.empty(like.shape);
    const { kernel, rows } = gradientKernel(device, headDim);
    const tileRows = byKey ? TILE : (TILE * heads) / kvHeads;
    const products = errors ? 3 : 2; // scores, gradients of the weights, sums
    dispatchTiles(device, kernel, {
      reads: [own, ownError, other, otherError, summed, stats, table],
      writes: [to],
      uniforms: [...uniformsOf(params), byKey ? 1 : 0, errors ? 0 : 1],
      tiles: byKey ? plan.keyTiles : plan.queryTiles,
      across: [Math.ceil(tileRows / rows), kvHeads],
      flops: products * 2 * TILE * (byKey ? plan.mostReading : plan.mostKeys) * heads * headDim,
      tilesAtOnce,
    });
    return to;
  };
  return [
    needs[0] ? gradient(q, [q, g, k, v, k], false, true) : undefined,
    needs[1] ? gradient(k, [k, v, q, g, q], true, true) : undefined,
    needs[2] ? gradient(v, [k, v, q, g, g], true, false) : undefined,
    undefined,
  ];
}

function gradientKernel(device: Device, headDim: number): TiledKernel {
  const shape = registerTile(device, headDim);
  if (!shape) return { kernel: workgroupGradient(workgroupColumns(headDim)), rows: ROWS };
  return { kernel: softwareGradient(shape.lanes, shape.groups, shape.columns), rows: shape.lanes * shape.groups };
}

// Chooses and dispatches the backward kernels.
import { rowsOf } from "../../checked.ts";
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
  workgroupRows,
} from "./forward.ts";
import { TILE } from "./plan.ts";
import { softwareGradient } from "./software-gradient.ts";
import { dispatchTiles } from "./tiles.ts";
import { workgroupGradient } from "./workgroup-gradient.ts";

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
  const walk = ({ kernel, rows, byKey, products, summed = [], writes, flags = [] }: Walk): void => {
    const rowsAndOthers = byKey ? [k, v, q, g] : [q, g, k, v];
    dispatchTiles(device, kernel, {
      reads: [...rowsAndOthers, ...summed, stats, table],
      writes,
      uniforms: [...uniformsOf(params), ...flags],
      tiles: byKey ? plan.keyTiles : plan.queryTiles,
      across: [Math.ceil((byKey ? TILE : (TILE * heads) / kvHeads) / rows), kvHeads],
      flops: products * 2 * TILE * (byKey ? plan.mostReading : plan.mostKeys) * heads * headDim,
      tilesAtOnce,
    });
  };
  // No query reads rows beyond all segments: their gradient is zero.
  const ofKeys = (like: Tensor): Tensor =>
    rowsOf(like) > plan.keys ? fill(device, like.shape, 0) : device.empty(like.shape);
  const make = (needed: boolean, empty: () => Tensor, how: (to: Tensor) => Walk): Tensor | undefined => {
    if (!needed) return undefined;
    const to = empty();
    walk(how(to));
    return to;
  };
  const ofQueries = (): Tensor => device.empty(q.shape);
  const shape = registerTile(device, headDim);
  if (shape) {
    const { lanes, groups, columns } = shape;
    const common = { kernel: softwareGradient(lanes, groups, columns), rows: lanes * groups };
    const all = { ...common, products: 3, byKey: true, flags: [1, 0] };
    return [
      make(needs[0], ofQueries, (to) => ({ ...all, byKey: false, summed: [k], writes: [to], flags: [0, 0] })),
      make(
        needs[1],
        () => ofKeys(k),
        (to) => ({ ...all, summed: [q], writes: [to] }),
      ),
      make(
        needs[2],
        () => ofKeys(v),
        (to) => ({ ...all, products: 2, summed: [g], writes: [to], flags: [1, 1] }),
      ),
      undefined,
    ];
  }
  const columns = workgroupColumns(headDim);
  const rows = workgroupRows((TILE * heads) / kvHeads);
  const dq = make(needs[0], ofQueries, (to) => {
    return { kernel: workgroupGradient(false, rows, columns), rows, byKey: false, products: 3, writes: [to] };
  });
  if (!needs[1] && !needs[2]) return [dq, undefined, undefined, undefined];
  const [dk, dv] = [ofKeys(k), ofKeys(v)];
  walk({ kernel: workgroupGradient(true, TILE, columns), rows: TILE, byKey: true, products: 4, writes: [dk, dv] });
  return [dq, only(needs[1], dk), only(needs[2], dv), undefined];
}

/** A dispatch over tiles of queries or, `byKey`, of keys. */
interface Walk extends TiledKernel {
  readonly byKey: boolean;
  /** Products of queries by keys: scores, gradients of the weights, sums. */
  readonly products: number;
  /** For software adapters: what the weights sum, and the uniforms that say which weights. */
  readonly summed?: readonly Tensor[];
  readonly flags?: readonly number[];
  readonly writes: readonly Tensor[];
}

function only(needed: boolean, made: Tensor): Tensor | undefined {
  if (needed) return made;
  made.dispose();
  return undefined;
}

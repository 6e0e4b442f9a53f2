// Chooses and dispatches the forward kernels.
import type { Device } from "../../device/device.ts";
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { mergeWgsl } from "./forward-wgsl.ts";
import { BLOCK, type SegmentPlan, TILE } from "./plan.ts";
import type { AttentionShape } from "./reference.ts";
import { softwareDecode } from "./software-decode.ts";
import { softwareForward } from "./software-forward.ts";
import type { SoftwareShape } from "./text.ts";
import { dispatchTiles } from "./tiles.ts";
import { workgroupForward } from "./workgroup-forward.ts";
import { ACROSS } from "./workgroup-text.ts";

export type AttentionInputs = readonly [q: Tensor, k: Tensor, v: Tensor, table: Tensor];

export interface AttentionParams extends AttentionShape {
  readonly plan: SegmentPlan;
}

/** Values of `uniforms`, but for the first. */
export function uniformsOf({ plan, heads, kvHeads, headDim, scale }: AttentionParams, splits = 1): number[] {
  const { segments, intervalsAt, intervals, readersAt } = plan;
  return [segments.length, intervalsAt, intervals, readersAt, heads, kvHeads, headDim / 4, splits, scale];
}

/** Most lanes that the kernels for software adapters are written for: one pass takes 16 rows, a lane each. */
const MOST_LANES = 16;

/**
 * Register tile of the kernels for software adapters, or undefined where tiles lie in workgroup memory. The accumulators stay about
 * as many for every head dimension, as compile time grows with them.
 */
export function registerTile({ facts }: Device, headDim: number): SoftwareShape | undefined {
  const lanes = facts.subgroupSize;
  if (facts.family !== "software" || lanes === 0 || lanes > MOST_LANES) return undefined;
  const columns = Math.ceil(headDim / 4 / lanes);
  return { lanes, groups: columns > 2 ? 1 : 2, columns };
}

/** vec4 columns a thread holds in kernels for real GPUs. */
export function workgroupColumns(headDim: number): number {
  return Math.ceil(headDim / 4 / ACROSS);
}

/** Rows of a tile in kernels for real GPUs: 32, which read each other row half as often, where a tile of queries has as many, else 16. */
export function workgroupRows(inTile: number): number {
  return inTile >= 32 ? 32 : 16;
}

/** A kernel of the device's family, and the rows that one workgroup takes. */
export interface TiledKernel {
  readonly kernel: Kernel;
  readonly rows: number;
}

/** Products of queries by keys: scores and the weighted sum. */
export const FORWARD_PRODUCTS = 2;

/** Tiles of at most this many rows are decoded: lanes then hold keys, as most would hold no row. */
const FEW_ROWS = 4;

/** `inTile`: most rows that a tile of queries has, of all heads that share a key head. */
function forwardKernel(
  device: Device,
  { plan, heads, kvHeads, headDim }: AttentionParams,
  inTile: number,
): TiledKernel {
  const shape = registerTile(device, headDim);
  if (!shape) {
    const rows = workgroupRows(inTile);
    return { kernel: workgroupForward(rows, workgroupColumns(headDim)), rows };
  }
  const most = (plan.mostQueries * heads) / kvHeads;
  if (most <= FEW_ROWS) return { kernel: softwareDecode(shape.lanes, most, shape.columns), rows: most };
  return { kernel: softwareForward(shape.lanes, shape.groups, shape.columns), rows: shape.lanes * shape.groups };
}

/** Fills [out, logSumExp] from [q, k, v, table]. `tilesAtOnce`: of one dispatch, where not as many as a driver lets run. */
export function forward(
  reads: AttentionInputs,
  writes: readonly [Tensor, Tensor],
  params: AttentionParams,
  tilesAtOnce?: number,
): void {
  const [q, k] = reads;
  const { device } = q;
  const { plan, heads, kvHeads, headDim } = params;
  const inTile = (Math.min(TILE, plan.mostQueries) * heads) / kvHeads;
  const { kernel, rows } = forwardKernel(device, params, inTile);
  const parts = Math.ceil(inTile / rows);
  const splits = splitsOf(device, k, params);
  const uniforms = uniformsOf(params, splits);
  const flops = (FORWARD_PRODUCTS * 2 * TILE * plan.mostKeys * heads * headDim) / splits;
  const call = { uniforms, tiles: plan.queryTiles * splits, across: [parts, kvHeads], flops, tilesAtOnce } as const;
  if (splits === 1) {
    dispatchTiles(device, kernel, { ...call, reads, writes });
    return;
  }
  const pairs = plan.queries * heads;
  const blocks = device.empty([pairs, splits, headDim]);
  const sums = device.empty([pairs, splits, 2]);
  dispatchTiles(device, kernel, { ...call, reads, writes: [blocks, sums] });
  const items = (pairs * headDim) / 4;
  device.dispatch(mergeKernel(), {
    reads: [blocks, sums],
    writes,
    uniforms: [items, headDim / 4, splits],
    groups: grid(device, items),
  });
  blocks.dispose();
  sums.dispose();
}

/** Workgroups that keep an adapter busy. */
const ENOUGH = { software: 4, workgroup: 256, matrix: 256 } as const;

/** Blocks that the keys are split into, where there are too few tiles to keep the adapter busy and many keys: decoding. */
function splitsOf({ facts }: Device, k: Tensor, { plan, heads, kvHeads, headDim }: AttentionParams): number {
  const blocks = Math.ceil(plan.mostKeys / BLOCK);
  const fewTiles = plan.queryTiles * kvHeads < ENOUGH[facts.family];
  const partValues = plan.queries * heads * blocks * (headDim + 2);
  return blocks > 2 && fewTiles && partValues <= k.size ? blocks : 1;
}

/** Merges the blocks' parts in ascending order: the same steps, and bits, as a workgroup that takes them all. */
const mergeKernel = defineKernel(() => ({
  name: "attention_merge",
  reads: { blocks: "vec4f", sums: "vec2f" },
  writes: { out: "vec4f", logSumExp: "f32" },
  uniforms: { items: "u32", dim4: "u32", splits: "u32" },
  code: `${mergeWgsl}${perItemHead}
  if (i >= P.items) { return; }
  let row = i / P.dim4;
  let column = i % P.dim4;
  var top = NONE;
  var sum = 0.0;
  var o = vec4f();
  for (var split = row * P.splits; split < (row + 1u) * P.splits; split++) {
    let m = merge(top, sums[split].x);
    top = m.top;
    sum = join(sum, sums[split].y, m);
    o = join4(o, blocks[split * P.dim4 + column], m);
  }
  out[i] = normalize4(o, sum);
  if (column == 0u) { logSumExp[row] = logSum(top, sum); }
}`,
}));

// Chooses and dispatches the forward kernels.
import type { Tensor } from "../../tensor.ts";
import { type SegmentPlan, TILE } from "./plan.ts";
import type { AttentionShape } from "./reference.ts";
import { softwareForward } from "./software-forward.ts";

export interface AttentionParams extends AttentionShape {
  readonly plan: SegmentPlan;
}

/** Values of `uniforms`. */
export function uniformsOf({ plan, heads, kvHeads, headDim, scale }: AttentionParams, splits = 1): number[] {
  const { segments, intervalsAt, intervals, readersAt } = plan;
  return [segments.length, intervalsAt, intervals, readersAt, heads, kvHeads, headDim / 4, splits, scale];
}

/** Fills [out, logSumExp] from [q, k, v, table]. */
export function forward(reads: readonly Tensor[], writes: readonly Tensor[], params: AttentionParams): void {
  const { device } = reads[0]!;
  const { plan, heads, kvHeads, headDim } = params;
  const lanes = device.facts.subgroupSize;
  const columns = Math.ceil(headDim / 4 / lanes);
  const groups = 2;
  const kernel = softwareForward({ lanes, groups, columns });
  const subtiles = Math.ceil((TILE * heads) / kvHeads / (lanes * groups));
  device.dispatch(kernel, {
    reads,
    writes,
    uniforms: uniformsOf(params),
    groups: [plan.queryTiles, subtiles, kvHeads],
  });
}

// Rows named by ids that are on the device, such as tokens just sampled. Not differentiable: gatherRows is.
import { noGrad } from "../autograd/tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectDType } from "./define.ts";
import { gatherRows } from "./gather-rows.ts";

/** f32 [ids.size, columns]: row `ids[i]` of `x` (f32 or bf16, also row-sharded). `ids` is u32; one outside gives undefined numbers. */
export function lookupRows(x: Tensor, ids: Tensor): Tensor {
  expectDType("lookupRows", ids, "u32");
  const sizes = { length: ids.size, distinct: ids.size, rows: x.shape[0]!, shards: undefined };
  return noGrad(() => gatherRows.apply([x, ids], sizes)[0]!);
}

// Rows named by ids that are on the device, such as tokens just sampled. Not differentiable: gatherRows is.
import type { Tensor } from "../tensor.ts";
import { expectDType, shapeError } from "./define.ts";
import { gatherInto } from "./gather-into.ts";

/** f32 [ids.size, columns]: row `ids[i]` of `x` (f32 or bf16 [rows, columns], also row-sharded). `ids` is u32; one outside leaves its row undefined. */
export function lookupRows(x: Tensor, ids: Tensor): Tensor {
  expectDType("lookupRows", x, "f32", "bf16");
  expectDType("lookupRows", ids, "u32");
  const [, columns, ...more] = x.shape;
  if (columns === undefined || more.length > 0) shapeError("lookupRows", `takes a matrix, not ${x}`);
  const out = x.device.empty([ids.size, columns]);
  gatherInto(out, x, ids);
  return out;
}

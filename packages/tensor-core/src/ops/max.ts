// Largest element over one axis or over everything.
import type { Tensor } from "../tensor.ts";
import {
  type AxisParams,
  aroundAxis,
  keptAxis,
  reductionCall,
  reductionCases,
  referenceReduce,
  withoutAxis,
} from "./axis.ts";
import { cast } from "./cast.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { divide } from "./divide.ts";
import { equal } from "./equal.ts";
import { multiply } from "./multiply.ts";
import { dispatchReduce } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { sum } from "./sum.ts";

/**
 * Largest element over `axis` (dropped from the shape; negative counts from the end), or of all (shape []); f32. Equal largest elements share
 * the gradient. Throws `shape` for a maximum of nothing.
 */
export const max = defineOp({
  name: "max",
  summary: "largest element over one axis or all",
  call: (x: Tensor, axis?: number) => reductionCall("max", x, axis),
  infer: ([x], { axis }: AxisParams) => {
    expectDType("max", x!, "f32");
    if (aroundAxis(x!.shape, axis).length === 0) shapeError("max", `${x} has no elements to compare`);
    return [{ shape: withoutAxis(x!.shape, axis) }];
  },
  run: (device, [x], [out], { axis }) => dispatchReduce(device, "max", [x!], out!, aroundAxis(x!.shape, axis)),
  vjp: ({ inputs: [x], outputs: [y], cotangents: [g], params: { axis } }) => {
    const kept = keptAxis(x!.shape, axis);
    const largest = cast(equal(x!, reshape(y!, kept)), "f32");
    const share = divide(g!, sum(largest, axis));
    return [multiply(largest, reshape(share, kept))];
  },
  saves: { inputs: [0], outputs: [0] },
  reference: ([x], { axis }) => [
    referenceReduce(x!, axis, (values) => values.reduce((m, v) => Math.max(m, v), Number.NEGATIVE_INFINITY)),
  ],
  cases: reductionCases,
});

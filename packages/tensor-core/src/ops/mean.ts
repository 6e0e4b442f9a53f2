// Mean over one axis or over everything.
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
import { stretch } from "./broadcast.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { dispatchReduce } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { scale } from "./scale.ts";

/** Mean over `axis` (dropped from the shape; negative counts from the end), or of all elements (shape []); f32. Throws `shape` for a mean of nothing. */
export const mean = defineOp({
  name: "mean",
  summary: "mean over one axis or all",
  call: (x: Tensor, axis?: number) => reductionCall("mean", x, axis),
  infer: ([x], { axis }: AxisParams) => {
    expectDType("mean", x!, "f32");
    if (aroundAxis(x!.shape, axis).length === 0) shapeError("mean", `${x} has no elements to average`);
    return [{ shape: withoutAxis(x!.shape, axis) }];
  },
  run: (device, [x], [out], { axis }) => {
    const view = aroundAxis(x!.shape, axis);
    dispatchReduce(device, "sum", [x!], out!, { ...view, factor: 1 / view.length });
  },
  vjp: ({ inputs: [x], cotangents: [g], params: { axis } }) => {
    const share = scale(g!, 1 / aroundAxis(x!.shape, axis).length);
    return [stretch(reshape(share, keptAxis(x!.shape, axis)), x!.shape)];
  },
  saves: { inputs: [] },
  reference: ([x], { axis }) => [
    referenceReduce(x!, axis, (values) => values.reduce((s, v) => s + v, 0) / values.length),
  ],
  cases: reductionCases,
});

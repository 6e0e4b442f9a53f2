// Sum over one axis or over everything.
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
import { defineOp, expectDType } from "./define.ts";
import { dispatchReduce } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/** Sum over `axis` (dropped from the shape; negative counts from the end), or of all elements (shape []); f32. */
export const sum = defineOp({
  name: "sum",
  summary: "sum over one axis or all",
  call: (x: Tensor, axis?: number) => reductionCall("sum", x, axis),
  infer: ([x], { axis }: AxisParams) => {
    expectDType("sum", x!, "f32");
    return [{ shape: withoutAxis(x!.shape, axis) }];
  },
  run: (device, [x], [out], { axis }) => dispatchReduce(device, "sum", [x!], out!, aroundAxis(x!.shape, axis)),
  vjp: ({ inputs: [x], cotangents: [g], params }) => [stretch(reshape(g!, keptAxis(x!.shape, params.axis)), x!.shape)],
  saves: { inputs: [] },
  reference: ([x], { axis }) => [referenceReduce(x!, axis, (values) => values.reduce((s, v) => s + v, 0))],
  cases: [...reductionCases, { name: "of nothing", inputs: [{ shape: [0, 4] }], params: { axis: 0 } }],
});

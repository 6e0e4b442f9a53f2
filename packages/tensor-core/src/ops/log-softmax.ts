// Logarithm of the softmax over the last dimension.
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType } from "./define.ts";
import { asRows, defineRowKernel, dispatchRows, eachOfRow, sumOverRow } from "./row-kernel.ts";
import { byRows, exponentialsWgsl, rowCases } from "./softmax.ts";

const forward = defineRowKernel(
  () => "log_softmax",
  () => ({
    reads: { x: "V" },
    writes: { out: "V" },
    code: `${exponentialsWgsl}
  let logTotal = log(total);${eachOfRow("out[at] = (x[at] - largest) - logTotal;")}`,
  }),
);

const backward = defineRowKernel(
  () => "log_softmax_backward",
  () => ({
    reads: { y: "V", g: "V" },
    writes: { dx: "V" },
    code: `${sumOverRow({ total: "total + g[at]" })}${eachOfRow("dx[at] = g[at] - exp_within(y[at], -87.0, 0.0) * total;")}`,
  }),
);

/** `x - log Σ e^x` over the last dimension, by way of the largest element; f32. */
export const logSoftmax = defineOp({
  name: "logSoftmax",
  summary: "log-softmax over the last dimension",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("logSoftmax", x, "f32");
    return [{ shape: x.shape }];
  },
  run: (device, [x], [out]) => dispatchRows(device, forward(), { reads: [x], writes: [out], ...asRows(x) }),
  vjp: ({ outputs: [y], cotangents: [g] }) => {
    const dx = y.device.empty(y.shape);
    dispatchRows(y.device, backward(), { reads: [y, g], writes: [dx], ...asRows(y) });
    return [dx];
  },
  saves: { inputs: [], outputs: [0] },
  reference: ([x]) => [byRows(x, (row, largest, total) => row.map((v) => v - largest - Math.log(total)))],
  cases: rowCases(4e-6),
});

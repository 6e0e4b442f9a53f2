// Rows of a matrix in eight bits as f32: exact.
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { type Int8Matrix, int8Sizes } from "./int8.ts";
import { int8Wgsl } from "./int8-wgsl.ts";

const kernel = defineKernel(() => ({
  name: "widen_int8",
  reads: { values: "u32", scales: "f32" },
  writes: { out: "vec4f" },
  uniforms: { items: "u32", first: "u32", group: "u32" },
  code: /* wgsl */ `${int8Wgsl}${perItemHead}
  if (i >= P.items) { return; }
  let at = P.first + i;
  out[i] = int8_four(values[at]) * scales[at * 4u / P.group];
}`,
}));

/** f32 [count, in]: rows `start` to `start + count`. */
export function widenInt8(matrix: Int8Matrix, start: number, count: number): Tensor {
  const { width, group } = int8Sizes(matrix);
  const { device } = matrix.values;
  const out = device.empty([count, width]);
  const items = (count * width) / 4;
  device.dispatch(kernel(), {
    reads: [matrix.values, matrix.scales],
    writes: [out],
    uniforms: [items, (start * width) / 4, group],
    groups: grid(device, items),
  });
  return out;
}

// The kernel behind gatherRows, lookupRows and the gradient of scatterRows.
import { rowsOf } from "../checked.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { grid, perItemHead } from "./wgsl.ts";

// A thread per vector of the result; it writes where its row lies in this part of the matrix.
const kernel = defineKernel((source: "bf16" | "f32" | "vec4f") => ({
  name: `gather_rows/${source}`,
  reads: { x: source === "bf16" ? "u32" : source, words: "u32" },
  writes: { out: source === "bf16" ? "vec2f" : source },
  uniforms: { items: "u32", width: "u32", start: "u32", rows: "u32" },
  code: `${perItemHead}
  if (i >= P.items) { return; }
  let position = i / P.width;
  let row = words[position] - P.start; // wraps to a large number before the part
  if (row >= P.rows) { return; }
  let value = x[row * P.width + (i - position * P.width)];
  out[i] = ${source === "bf16" ? "bitcast<vec2f>(vec2u(value << 16u, value & 0xffff0000u))" : "value"};
}`,
}));

/** Fills `out` (f32): its row i is row `words[i]` of `x` (f32 or bf16, also row-sharded). */
export function gatherInto(out: Tensor, x: Tensor, words: Tensor): void {
  const length = rowsOf(out);
  if (out.size === 0) return;
  const columns = out.size / length;
  const source = x.dtype === "bf16" ? "bf16" : columns % 4 === 0 ? "vec4f" : "f32";
  const width = columns / { bf16: 2, vec4f: 4, f32: 1 }[source];
  for (const { start, tensor } of x.parts()) {
    out.device.dispatch(kernel(source), {
      reads: [tensor, words],
      writes: [out],
      uniforms: [length * width, width, start, rowsOf(tensor)],
      groups: grid(out.device, length * width),
    });
  }
}

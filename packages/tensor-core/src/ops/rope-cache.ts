// Queries, keys and values of new rows, side by side as one product gives them: queries and keys are rotated, keys and values go to their rows of a
// cache. One kernel in place of two rotations and two writes, to the same bits. Not an op of the registry: it changes its arguments and is on no tape.
import { matrixShape } from "../checked.ts";
import { TensorError } from "../error.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { turnedWgsl } from "./rope.ts";
import { sideBySideWgsl } from "./rope-heads.ts";
import { expectDistinct, type RowIndex } from "./row-index.ts";
import { grid } from "./wgsl.ts";

const kernel = defineKernel((wide: boolean) => {
  const V = wide ? "vec4f" : "f32";
  return {
    name: `rope_cache${wide ? "/vec4" : ""}`,
    reads: { x: V, cosines: V, sines: V, words: "u32" },
    writes: { queries: V, keys: V, values: V },
    uniforms: { items: "u32", half: "u32", heads: "u32", kvHeads: "u32" },
    code: `${turnedWgsl(V)}${sideBySideWgsl}
  let first = x[source];
  let second = x[source + P.half];
  if (head >= P.heads + P.kvHeads) {
    let at = (words[row] * P.kvHeads + head - P.heads - P.kvHeads) * 2u * P.half + j;
    values[at] = first;
    values[at + P.half] = second;
    return;
  }
  let pair = turned(first, second, cosines[row * P.half + j], sines[row * P.half + j]);
  if (head < P.heads) {
    let at = (row * P.heads + head) * 2u * P.half + j;
    queries[at] = pair[0];
    queries[at + P.half] = pair[1];
  } else {
    let at = (words[row] * P.kvHeads + head - P.heads) * 2u * P.half + j;
    keys[at] = pair[0];
    keys[at + P.half] = pair[1];
  }
}`,
  };
});

/** Where rotated keys and values go: f32 `[index.rows, kvHeads * D]` each. */
export interface CacheRows {
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly index: RowIndex;
}

/**
 * The rotated queries f32 `[rows, heads * D]` of `x` f32 `[rows, (heads + 2 kvHeads) * D]`, which holds queries, keys and values; `cosines` and `sines`
 * f32 `[rows, D / 2]`. Row r's keys and values are written to row `index[r]` of the cache. Throws `argument` where a row occurs twice, `shape`.
 */
export function ropeIntoCache(
  x: Tensor,
  cosines: Tensor,
  sines: Tensor,
  { keys, values, index }: CacheRows,
  { heads, kvHeads }: { readonly heads: number; readonly kvHeads: number },
): Tensor {
  expectDistinct("ropeIntoCache", index);
  const { device } = x;
  const [rows, half] = matrixShape(cosines);
  const wanted = {
    x: [rows, (heads + 2 * kvHeads) * 2 * half],
    sines: [rows, half],
    keys: [index.rows, kvHeads * 2 * half],
  };
  const given = { x, sines, keys, values };
  for (const [name, tensor] of Object.entries(given)) {
    const shape = wanted[name === "values" ? "keys" : (name as keyof typeof wanted)];
    if (String(tensor.shape) !== String(shape) || tensor.dtype !== "f32" || index.length !== rows)
      throw new TensorError(
        "shape",
        `ropeIntoCache: ${name} is f32[${shape.join(", ")}] for ${index.length} rows, not ${tensor}`,
      );
  }
  const queries = device.empty([rows, heads * 2 * half]);
  const wide = half % 4 === 0;
  const columns = wide ? half / 4 : half;
  const items = rows * (heads + 2 * kvHeads) * columns;
  device.dispatch(kernel(wide), {
    reads: [x, cosines, sines, index.words],
    writes: [queries, keys, values],
    uniforms: [items, columns, heads, kvHeads],
    groups: grid(device, items),
  });
  return queries;
}

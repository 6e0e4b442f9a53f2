// Rotary position embedding (Su et al. 2021, arXiv 2104.09864), halves convention: column j rotates with column j + D/2 of its head.
import { at, matrixShape } from "../checked.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** `fn turned(first, second, c, s)`: the two elements of a pair, rotated. Shared, as equal bits need equal text. */
export const turnedWgsl = (V: "vec4f" | "f32"): string => /* wgsl */ `
fn turned(first: ${V}, second: ${V}, c: ${V}, s: ${V}) -> array<${V}, 2> {
  return array<${V}, 2>(first * c - second * s, second * c + first * s);
}`;

const kernel = defineKernel((wide: boolean) => {
  const V = wide ? "vec4f" : "f32";
  return {
    name: `rope${wide ? "/vec4" : ""}`,
    reads: { x: V, cosines: V, sines: V },
    writes: { out: V },
    uniforms: { items: "u32", half: "u32", heads: "u32", direction: "f32" },
    code: `${turnedWgsl(V)}${perItemHead}
  if (i >= P.items) { return; }
  let head = i / P.half; // over rows and heads
  let j = i - head * P.half;
  let angle = (head / P.heads) * P.half + j;
  let at = head * 2u * P.half + j;
  let c = cosines[angle];
  let s = sines[angle] * P.direction;
  let pair = turned(x[at], x[at + P.half], c, s);
  out[at] = pair[0];
  out[at + P.half] = pair[1];
}`,
  };
});

/** Records the rotation by the table's angles times `direction` (1 or -1). */
function rotate(x: Tensor, cosines: Tensor, sines: Tensor, out: Tensor, direction: number): void {
  const [, columns] = matrixShape(cosines);
  const [, width] = matrixShape(x);
  const wide = columns % 4 === 0;
  const half = wide ? columns / 4 : columns;
  const items = x.size / (wide ? 8 : 2);
  const heads = width / (2 * columns);
  x.device.dispatch(kernel(wide), {
    reads: [x, cosines, sines],
    writes: [out],
    uniforms: [items, half, heads, direction],
    groups: grid(x.device, items),
  });
}

/**
 * Rotates each pair (x[j], x[j + D/2]) of every head by the row's angle j. `x` f32 [rows, heads·D]; `cosines`, `sines` f32 [rows, D/2], which get no
 * gradient. Throws `shape` where rows differ or D does not divide the width.
 */
export const rope = defineOp({
  name: "rope",
  summary: "rotary position embedding from given angles",
  call: (x: Tensor, cosines: Tensor, sines: Tensor) => ({ inputs: [x, cosines, sines], params: {} }),
  infer: ([x, cosines, sines]) => {
    for (const t of [x, cosines, sines]) expectDType("rope", t, "f32");
    const [rows, half] = cosines.shape;
    const [xRows, width = 0] = x.shape;
    const fits = x.shape.length === 2 && cosines.shape.length === 2 && xRows === rows;
    if (!fits || String(sines.shape) !== String(cosines.shape) || !half || width % (2 * half) !== 0)
      shapeError("rope", `angles ${cosines} and ${sines} do not fit ${x}: [rows, D/2] and [rows, heads·D] are needed`);
    return [{ shape: x.shape }];
  },
  run: (_device, [x, cosines, sines], [out]) => rotate(x, cosines, sines, out, 1),
  vjp: ({ inputs: [, cosines, sines], cotangents: [g] }) => {
    const dx = g.device.empty(g.shape);
    rotate(g, cosines, sines, dx, -1);
    return [dx, undefined, undefined];
  },
  saves: { inputs: [1, 2] },
  reference: ([x, cosines, sines]) => {
    const [rows, half] = matrixShape(cosines);
    const [, width] = matrixShape(x);
    const data = new Float64Array(x.data.length);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < width; column++) {
        const j = column % half;
        const isFirst = column % (2 * half) < half;
        const index = row * width + column;
        const c = at(cosines.data, row * half + j);
        const s = at(sines.data, row * half + j);
        const other = isFirst ? -at(x.data, index + half) : at(x.data, index - half);
        data[index] = at(x.data, index) * c + other * s;
      }
    }
    return [{ shape: x.shape, data }];
  },
  cases: [
    ropeCase("head of 12", 5, 3, 12),
    ropeCase("head of 16", 7, 2, 16),
    ropeCase("head of 80", 3, 2, 80),
    ropeCase("no rows", 0, 2, 16),
    { ...ropeCase("head of 128", 200, 4, 128), full: true },
  ],
});

function ropeCase(name: string, rows: number, heads: number, headSize: number) {
  const angles = Array.from({ length: (rows * headSize) / 2 }, (_, i) => (i * 0.37) % 6.3);
  const table = (fn: (x: number) => number) => ({
    shape: [rows, headSize / 2],
    values: angles.map((a) => Math.fround(fn(a))),
    constant: true,
  });
  return { name, inputs: [{ shape: [rows, heads * headSize] }, table(Math.cos), table(Math.sin)], params: {} };
}

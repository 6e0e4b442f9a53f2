// Queries, keys and values that one product gave side by side, apart: queries and keys rotated. One kernel in place of three copies and two rotations, to
// the same bits.
import { at, matrixShape } from "../checked.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type OpCase, type ReferenceArray, shapeError } from "./define.ts";
import { fill } from "./fill.ts";
import { rope, turnedWgsl } from "./rope.ts";
import { slice } from "./slice.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** Heads of queries, and of keys and of values. */
export interface HeadCounts {
  readonly heads: number;
  readonly kvHeads: number;
}

/** A thread per pair of a head's elements, of rows that have queries, keys and values side by side: its `row`, its `head`, and its place, `source`. */
export const sideBySideWgsl = /* wgsl */ `${perItemHead}
  if (i >= P.items) { return; }
  let perRow = P.heads + 2u * P.kvHeads;
  let place = i / P.half; // over rows and heads
  let j = i - place * P.half;
  let row = place / perRow;
  let head = place - row * perRow;
  let source = place * 2u * P.half + j;`;

/** A thread's places: `source` side by side and `at` among its own kind, and its angle's `c` and `s`. */
const placesWgsl = (direction: "" | "-"): string => `${sideBySideWgsl}
  let isQuery = head < P.heads;
  let isValue = head >= P.heads + P.kvHeads;
  let own = select(select(head - P.heads, head - P.heads - P.kvHeads, isValue), head, isQuery);
  let at = (row * select(P.kvHeads, P.heads, isQuery) + own) * 2u * P.half + j;
  let c = cosines[row * P.half + j];
  let s = ${direction}sines[row * P.half + j];`;

const uniforms = { items: "u32", half: "u32", heads: "u32", kvHeads: "u32" } as const;

const forward = defineKernel((wide: boolean) => {
  const V = wide ? "vec4f" : "f32";
  return {
    name: `rope_heads${wide ? "/vec4" : ""}`,
    reads: { x: V, cosines: V, sines: V },
    writes: { queries: V, keys: V, values: V },
    uniforms,
    code: `${turnedWgsl(V)}${placesWgsl("")}
  let first = x[source];
  let second = x[source + P.half];
  let pair = turned(first, second, c, s);
  if (isQuery) {
    queries[at] = pair[0];
    queries[at + P.half] = pair[1];
  } else if (isValue) {
    values[at] = first;
    values[at + P.half] = second;
  } else {
    keys[at] = pair[0];
    keys[at + P.half] = pair[1];
  }
}`,
  };
});

const backward = defineKernel((wide: boolean) => {
  const V = wide ? "vec4f" : "f32";
  return {
    name: `rope_heads_backward${wide ? "/vec4" : ""}`,
    reads: { queries: V, keys: V, values: V, cosines: V, sines: V },
    writes: { dx: V },
    uniforms,
    code: `${turnedWgsl(V)}${placesWgsl("-")}
  if (isValue) {
    dx[source] = values[at];
    dx[source + P.half] = values[at + P.half];
    return;
  }
  var first: ${V};
  var second: ${V};
  if (isQuery) {
    first = queries[at];
    second = queries[at + P.half];
  } else {
    first = keys[at];
    second = keys[at + P.half];
  }
  let pair = turned(first, second, c, s);
  dx[source] = pair[0];
  dx[source + P.half] = pair[1];
}`,
  };
});

/** Variant, uniforms and groups of either kernel. */
function launch(cosines: Tensor, { heads, kvHeads }: HeadCounts) {
  const [rows, columns] = matrixShape(cosines);
  const wide = columns % 4 === 0;
  const half = wide ? columns / 4 : columns;
  const items = rows * (heads + 2 * kvHeads) * half;
  return { wide, uniforms: [items, half, heads, kvHeads], groups: grid(cosines.device, items) };
}

/** Widths of queries, keys and values. */
const widthsOf = ({ heads, kvHeads }: HeadCounts, half: number): [number, number, number] => [
  heads * 2 * half,
  kvHeads * 2 * half,
  kvHeads * 2 * half,
];

/**
 * The queries `[rows, heads * D]`, keys and values `[rows, kvHeads * D]` of `x` f32 `[rows, (heads + 2 kvHeads) * D]`, which holds them side by side;
 * queries and keys are rotated as by `rope`. `cosines` and `sines` f32 `[rows, D / 2]` get no gradient. Throws `shape`.
 */
export const ropeHeads = defineOp({
  name: "ropeHeads",
  summary: "queries and keys, rotated as by rope, and values from where they lie side by side",
  call: (x: Tensor, cosines: Tensor, sines: Tensor, { heads, kvHeads }: HeadCounts) => ({
    inputs: [x, cosines, sines],
    params: { heads, kvHeads },
  }),
  infer: ([x, cosines, sines], counts: HeadCounts) => {
    for (const t of [x, cosines, sines]) expectDType("ropeHeads", t, "f32");
    const [rows, half, ...more] = cosines.shape;
    const widths = widthsOf(counts, half ?? 0);
    const whole = widths.reduce((sum, width) => sum + width, 0);
    const fits = String(sines.shape) === String(cosines.shape) && String(x.shape) === String([rows, whole]);
    if (rows === undefined || !half || more.length > 0 || !fits)
      shapeError("ropeHeads", `angles ${cosines} and ${sines} do not fit ${x}: [rows, D/2] and [rows, all heads·D]`);
    const [q, k, v] = widths;
    return [{ shape: [rows, q] }, { shape: [rows, k] }, { shape: [rows, v] }];
  },
  run: (device, reads, writes, counts) => {
    const { wide, ...call } = launch(reads[1], counts);
    device.dispatch(forward(wide), { reads, writes, ...call });
  },
  result: (outputs): readonly [queries: Tensor, keys: Tensor, values: Tensor] => outputs,
  vjp: ({ inputs: [x, cosines, sines], outputs, cotangents, params }) => {
    const { device } = cosines;
    const dx = device.empty(x.shape);
    const { wide, ...call } = launch(cosines, params);
    const given = outputs.map((output, k) => cotangents[k] ?? fill(device, output.shape, 0));
    device.dispatch(backward(wide), { reads: [...given, cosines, sines], writes: [dx], ...call });
    return [dx, undefined, undefined];
  },
  saves: { inputs: [1, 2] },
  reference: ([x, cosines, sines], counts) => {
    const [, half] = matrixShape(cosines);
    const widths = widthsOf(counts, half);
    const start = [0, widths[0], widths[0] + widths[1]];
    const part = (k: 0 | 1 | 2): ReferenceArray => {
      const from = at(start, k);
      const [piece] = slice.reference([x], { axis: 1, start: from, end: from + at(widths, k) });
      return piece ?? x;
    };
    const turned = (piece: ReferenceArray): ReferenceArray => rope.reference([piece, cosines, sines], {})[0] ?? piece;
    return [turned(part(0)), turned(part(1)), part(2)];
  },
  cases: [
    headsCase("heads of 12", 5, { heads: 3, kvHeads: 1 }, 12),
    headsCase("heads of 16", 7, { heads: 2, kvHeads: 2 }, 16),
    headsCase("no rows", 0, { heads: 2, kvHeads: 1 }, 16),
    { ...headsCase("heads of 128", 60, { heads: 4, kvHeads: 2 }, 128), full: true },
  ],
});

function headsCase(name: string, rows: number, counts: HeadCounts, headSize: number): OpCase<HeadCounts> {
  const angles = Array.from({ length: (rows * headSize) / 2 }, (_, i) => (i * 0.37) % 6.3);
  const table = (fn: (x: number) => number) => ({
    shape: [rows, headSize / 2],
    values: angles.map((a) => Math.fround(fn(a))),
    constant: true,
  });
  const width = (counts.heads + 2 * counts.kvHeads) * headSize;
  return { name, inputs: [{ shape: [rows, width] }, table(Math.cos), table(Math.sin)], params: counts };
}

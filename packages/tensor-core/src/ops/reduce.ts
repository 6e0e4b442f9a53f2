// Reductions of [outer, length, inner] over the middle dimension, in one order that depends on `length` only: blocks of 256 are summed
// serially, their sums are added ascending; above 4,096 the block sums are written out and reduced again. Rows of four-element groups
// (inner = 1) run four such sums side by side, which are added at the end of a block.
import type { Device } from "../device/device.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { minusInfinityWgsl, nonFiniteWgsl } from "./non-finite-wgsl.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** How the elements of a block are taken in, how block results are combined, and what both start from. */
interface Kind {
  readonly initial: string;
  /** WGSL from `acc` and the element `x` (and `y` of a second array) to the next `acc`. */
  readonly step: string;
  /** WGSL from `total` and `acc` to the next `total`; also folds the four parts of a vec4, as `scalars`. */
  readonly combine: (total: string, acc: string, scalars?: boolean) => string;
  /** The kind that reduces the block results. */
  readonly next: ReductionKind;
  readonly second?: boolean;
}

export type ReductionKind = "sum" | "squares" | "dot" | "max" | "nonFinite";

const plus = (a: string, b: string) => `${a} + ${b}`;
const larger = (a: string, b: string) => `max(${a}, ${b})`;
const largest = (a: string, b: string, scalars = false) => `${scalars ? "nan_max_of_two" : "nan_max"}(${a}, ${b})`;

const KINDS: Readonly<Record<ReductionKind, Kind>> = {
  sum: { initial: "0.0", step: "acc + x", combine: plus, next: "sum" },
  squares: { initial: "0.0", step: "fma(x, x, acc)", combine: plus, next: "sum" },
  dot: { initial: "0.0", step: "fma(x, y, acc)", combine: plus, next: "sum", second: true },
  max: { initial: "minus_infinity()", step: "nan_max(acc, x)", combine: largest, next: "max" },
  // NaN and infinity by their bits: comparisons may be folded away by a compiler that assumes neither.
  nonFinite: {
    initial: "0.0",
    step: "max(acc, select(V(0.0), V(1.0), (bitcast<U>(x) & U(0x7f800000u)) == U(0x7f800000u)))",
    combine: larger,
    next: "max",
  },
};

/** Items of a block, and those that one thread takes. */
export const REDUCE_BLOCK = 256;
export const ONE_PASS = 4096;

export interface Reduction {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  /** The result is multiplied by this. Default 1. */
  readonly factor?: number;
  /** Element of `out` where the results go. Default 0. */
  readonly start?: number;
}

/** Records `out[start + o * inner + i] = factor * reduce over k of reads[o, k, i]`. */
export function dispatchReduce(
  device: Device,
  kind: ReductionKind,
  reads: readonly Tensor[],
  out: Tensor,
  { outer, length, inner, factor = 1, start = 0 }: Reduction,
): void {
  const layout = inner === 1 && length % 4 === 0 ? "rows" : inner % 4 === 0 ? "columns" : "plain";
  const items = layout === "rows" ? length / 4 : length; // per reduction
  const lanes = layout === "columns" ? inner / 4 : inner;
  const last = items <= ONE_PASS;
  const span = last ? Math.max(items, 1) : REDUCE_BLOCK;
  const blocks = Math.ceil(items / span) || 1;
  const target = last ? out : device.empty([outer, blocks, inner]);
  const threads = outer * blocks * lanes;
  const first = last ? (layout === "columns" ? start / 4 : start) : 0;
  device.dispatch(kernelOf(kind, layout), {
    reads,
    writes: [target],
    uniforms: [threads, items, lanes, blocks, span, first, last ? factor : 1],
    groups: grid(device, threads),
  });
  if (last) return;
  dispatchReduce(device, KINDS[kind].next, [target], out, { outer, length: blocks, inner, factor, start });
  target.dispose();
}

const kernelOf = defineKernel((kind: ReductionKind, layout: "rows" | "columns" | "plain") => {
  const { initial, step, combine, second } = KINDS[kind];
  const element = layout === "plain" ? "f32" : "vec4f";
  const folded = combine(combine("total.x", "total.y", true), `(${combine("total.z", "total.w", true)})`, true);
  return {
    name: `reduce_${kind}/${layout}`,
    reads: second ? { x_data: element, y_data: element } : { x_data: element },
    writes: { out: layout === "columns" ? "vec4f" : "f32" },
    uniforms: { threads: "u32", items: "u32", lanes: "u32", blocks: "u32", span: "u32", start: "u32", factor: "f32" },
    code: `alias V = ${element}; alias U = ${layout === "plain" ? "u32" : "vec4u"};${nonFiniteWgsl({ float: "V", bits: layout === "plain" ? "u32" : "vec4u" })}${minusInfinityWgsl}
fn nan_max_of_two(a: f32, b: f32) -> f32 {
  let nan = vec2<bool>((bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u, (bitcast<u32>(b) & 0x7fffffffu) > 0x7f800000u);
  return select(select(max(a, b), b, nan.y), a, nan.x);
}${perItemHead}
  if (i >= P.threads) { return; }
  let lane = i % P.lanes;
  let block = (i / P.lanes) % P.blocks;
  let base = (i / (P.lanes * P.blocks)) * P.items * P.lanes + lane;
  let end = min((block + 1u) * P.span, P.items);
  var total = V(${initial});
  for (var at = block * P.span; at < end; at += ${REDUCE_BLOCK}u) {
    let to = min(at + ${REDUCE_BLOCK}u, end);
    var acc = V(${initial});
    for (var k = at; k < to; k++) {
      let x = x_data[base + k * P.lanes];
${second ? "      let y = y_data[base + k * P.lanes];\n" : ""}      acc = ${step};
    }
    total = ${combine("total", "acc")};
  }
  out[P.start + i] = ${layout === "rows" ? `(${folded})` : "total"} * P.factor;
}`,
  };
});

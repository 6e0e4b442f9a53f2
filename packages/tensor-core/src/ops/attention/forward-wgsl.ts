// WGSL that both families' forward kernels share: the canonical order's merge, and what a workgroup leaves behind.
import type { StorageElement } from "../../submit/kernel.ts";
import { nonFiniteScalarWgsl } from "../non-finite-wgsl.ts";
import { tableBinding, uniforms } from "./wgsl.ts";

export const forwardBindings = {
  reads: { q: "vec4f", k: "vec4f", v: "vec4f", ...tableBinding },
  writes: { out: "vec4f", logSumExp: "f32" },
  uniforms,
} as const satisfies {
  reads: Record<string, StorageElement>;
  writes: Record<string, StorageElement>;
  uniforms: object;
};

/**
 * The canonical order: a block of 64 keys, counted from logical key 0, gives its maximum, its sum of exponentials and its weighted
 * sum, each in ascending order of the keys; `merge`, `join` and `join4` add it to what came before. A block without a visible key
 * changes no bit, and the first block passes unchanged.
 */
export const mergeWgsl = /* wgsl */ `${nonFiniteScalarWgsl}
// Score of a key that is not seen, and maximum of nothing: finite, since WGSL may assume that there is no infinity.
const NONE = -1e30;

struct Merge { top: f32, keep: f32, take: f32 }

// Below -87 the exponential leaves the normal numbers, and some adapters' goes wrong. A score of NaN or infinity gives NaN, and with it
// the row's sums.
fn weight(score: f32, top: f32) -> f32 {
  let d = score - top;
  return select(select(0.0, exp(max(d, -87.0)), score > NONE), d, is_nan(d));
}

fn merge(before: f32, block: f32) -> Merge {
  let top = max(before, block);
  return Merge(top, select(weight(before, top), 1.0, before >= top), select(weight(block, top), 1.0, block >= top));
}

fn join(before: f32, block: f32, m: Merge) -> f32 { return fma(block, m.take, before * m.keep); }
fn join4(before: vec4f, block: vec4f, m: Merge) -> vec4f { return fma(block, vec4f(m.take), before * m.keep); }
fn normalize4(o: vec4f, sum: f32) -> vec4f { return select(o / sum, vec4f(), bitcast<u32>(sum) == 0u); }
fn logSum(top: f32, sum: f32) -> f32 {
  return select(select(top + log(sum), 0.0, bitcast<u32>(sum) == 0u), sum, is_nan(sum));
}
`;

/** A workgroup takes all blocks of its tile, or, where keys are split, one, and leaves that block's parts. */
export const forwardWgsl = /* wgsl */ `${mergeWgsl}
struct Range { first: u32, end: u32 }

fn blocksOf(group: u32, bound: u32) -> Range {
  if (P.splits == 1u) { return Range(0u, bound); }
  let first = group % P.splits * BLOCK;
  return Range(first, min(first + BLOCK, bound));
}

fn finishIndex(group: u32, row: u32) -> u32 { return row * P.splits + group % P.splits; }

fn finishRow(group: u32, row: u32, top: f32, sum: f32) {
  if (P.splits == 1u) { logSumExp[row] = logSum(top, sum); return; }
  let at = finishIndex(group, row) * 2u;
  logSumExp[at] = top;
  logSumExp[at + 1u] = sum;
}

fn finish4(o: vec4f, sum: f32) -> vec4f {
  if (P.splits == 1u) { return normalize4(o, sum); }
  return o;
}
`;

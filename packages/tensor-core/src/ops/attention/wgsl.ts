// WGSL that all attention kernels share: the segment table, the canonical order's merge, masking. Equal bits need equal code.
import type { StorageElement, UniformType } from "../../submit/kernel.ts";
import { BLOCK, INTERVAL_WORDS, SEGMENT_WORDS, TILE } from "./plan.ts";

/** Uniforms of every attention kernel. `dim4` is the head dimension in vec4. */
export const uniforms = {
  segments: "u32",
  intervalsAt: "u32",
  intervals: "u32",
  readersAt: "u32",
  heads: "u32",
  kvHeads: "u32",
  dim4: "u32",
  splits: "u32",
  scale: "f32",
} as const satisfies Record<string, UniformType>;

export const tableBinding = { table: "u32" } as const satisfies Record<string, StorageElement>;

/** Score of a key that a query doesn't see, and maximum of nothing: finite, since WGSL may assume that no infinity exists. */
export const tableWgsl = /* wgsl */ `
const TILE = ${TILE}u;
const BLOCK = ${BLOCK}u;
const NONE = -1e30;

struct Segment { queryStart: u32, queryCount: u32, prefixStart: u32, prefixCount: u32, ownStart: u32, ownCount: u32, causal: u32, firstTile: u32 }

fn segmentAt(index: u32) -> Segment {
  let at = index * ${SEGMENT_WORDS}u;
  return Segment(table[at], table[at + 1u], table[at + 2u], table[at + 3u], table[at + 4u], table[at + 5u], table[at + 6u], table[at + 7u]);
}

// The last record whose first tile is not beyond the tile: the one that holds it, as empty records come before it.
fn findTile(tile: u32, at: u32, count: u32, stride: u32, field: u32) -> u32 {
  var low = 0u;
  var high = count;
  while (high - low > 1u) {
    let middle = (low + high) >> 1u;
    if (table[at + middle * stride + field] <= tile) { low = middle; } else { high = middle; }
  }
  return low;
}

fn segmentOfTile(tile: u32) -> u32 { return findTile(tile, 0u, P.segments, ${SEGMENT_WORDS}u, 7u); }

fn intervalOfTile(tile: u32) -> u32 { return P.intervalsAt + findTile(tile, P.intervalsAt, P.intervals, ${INTERVAL_WORDS}u, 3u) * ${INTERVAL_WORDS}u; }

// Query i sees the logical keys below this number.
fn visible(s: Segment, i: u32) -> u32 {
  let unseen = select(0u, s.queryCount - 1u - i, s.causal != 0u);
  return s.prefixCount + s.ownCount - min(unseen, s.ownCount);
}

// The first query that sees a logical key, or queryCount.
fn firstReader(s: Segment, logical: u32) -> u32 {
  if (s.causal == 0u) { return 0u; }
  let unseen = s.prefixCount + s.ownCount - 1u - logical; // keys beyond it: as many queries, the last ones, see it
  if (logical < s.prefixCount) { return 0u; }
  return s.queryCount - min(s.queryCount, unseen + 1u);
}

fn keyRow(s: Segment, logical: u32) -> u32 {
  return select(s.ownStart + logical - s.prefixCount, s.prefixStart + logical, logical < s.prefixCount);
}
`;

/**
 * The merge of block (m2, l2, o2) into what came before it (m1, l1, o1), ascending: o = o1 * keep + o2 * take, l alike. A block
 * without a visible key changes no bit.
 */
export const mergeWgsl = /* wgsl */ `
struct Merge { top: f32, keep: f32, take: f32 }

// Beyond -87 the exponential leaves the normal numbers, and some adapters' overflows.
fn weight(score: f32, top: f32) -> f32 { return select(0.0, exp(max(score - top, -87.0)), score > NONE); }

fn merge(before: f32, block: f32) -> Merge {
  let top = max(before, block);
  return Merge(top, select(weight(before, top), 1.0, before >= top), select(weight(block, top), 1.0, block >= top));
}

fn join(before: f32, block: f32, m: Merge) -> f32 { return fma(block, m.take, before * m.keep); }
fn join4(before: vec4f, block: vec4f, m: Merge) -> vec4f { return fma(block, vec4f(m.take), before * m.keep); }
fn normalize4(o: vec4f, sum: f32) -> vec4f { return select(vec4f(), o / sum, sum > 0.0); }
fn logSum(top: f32, sum: f32) -> f32 { return select(0.0, top + log(sum), sum > 0.0); }
`;

// WGSL that all attention kernels share: the segment table, the canonical order's merge, masking. Equal bits need equal code.
import type { StorageElement, UniformType } from "../../submit/kernel.ts";
import { BLOCK, INTERVAL_WORDS, SEGMENT_WORDS, TILE } from "./plan.ts";

/** Uniforms of every attention kernel. `dim4` is the head dimension in vec4. */
export const uniforms = {
  /** In x, of other dispatches, where one would take too long. */
  groupsBefore: "u32",
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

/** The segment table, and the tiles of queries. */
export const tableWgsl = /* wgsl */ `
const TILE = ${TILE}u;
const BLOCK = ${BLOCK}u;

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
  if (s.causal == 0u || logical < s.prefixCount) { return 0u; }
  return s.queryCount - min(s.queryCount, s.prefixCount + s.ownCount - logical); // the last ones, as many as there are keys from it on
}

fn keyRow(s: Segment, logical: u32) -> u32 {
  return select(s.ownStart + logical - s.prefixCount, s.prefixStart + logical, logical < s.prefixCount);
}

// Rows of a query tile are pairs: the heads that share a key head, query by query. 'first' counts from the segment's first pair.
struct QueryTile { segment: Segment, first: u32, count: u32 }

// Part 'part', of at most 'rows' pairs, of a tile of queries.
fn queryTile(tile: u32, part: u32, rows: u32) -> QueryTile {
  let perKv = P.heads / P.kvHeads;
  let s = segmentAt(segmentOfTile(tile));
  let query = (tile - s.firstTile) * TILE;
  let first = query * perKv + part * rows;
  let end = min(query + TILE, s.queryCount) * perKv;
  return QueryTile(s, first, min(rows, end - min(first, end)));
}

// Row of the matrix of single heads that pair i lies in.
fn pairRow(tile: QueryTile, kvHead: u32, i: u32) -> u32 {
  let perKv = P.heads / P.kvHeads;
  let pair = tile.first + i;
  return (tile.segment.queryStart + pair / perKv) * P.heads + kvHead * perKv + pair % perKv;
}

fn visibleToPair(tile: QueryTile, i: u32) -> u32 {
  return visible(tile.segment, (tile.first + i) / (P.heads / P.kvHeads));
}
`;

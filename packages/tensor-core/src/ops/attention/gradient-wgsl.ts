// WGSL that both families' gradient kernels share. A tile of query rows walks the keys that it sees (dq); a tile of key rows walks
// the queries that see it, segment by segment and head by head in ascending order (dk, dv). What is bound says which rows are whose:
// `a` and `c` are the tile's rows, `b` and `f` those it walks, `m` what the weights sum.
//   dq: a, c = q, g   b, f = k, v   m = k        dk: a, c = k, v   b, f = q, g   m = q        dv: as dk, with m = g
import type { StorageElement } from "../../submit/kernel.ts";
import { nonFiniteScalarWgsl } from "../non-finite-wgsl.ts";
import { tableBinding, uniforms } from "./wgsl.ts";

export const gradientReads = {
  a: "vec4f",
  c: "vec4f",
  b: "vec4f",
  f: "vec4f",
  m: "vec4f",
  stats: "vec2f",
  ...tableBinding,
} as const satisfies Record<string, StorageElement>;

/** `withoutErrors` is 1 for dv, which needs no gradient of the weights. */
export const gradientUniforms = { ...uniforms, byKey: "u32", withoutErrors: "u32" } as const;

export const gradientWgsl = /* wgsl */ `${nonFiniteScalarWgsl}
const ALL = 0xffffffffu;

// Row i of the tile is key row first + i, or pair i of the queries; the walks run over [firstWalk, endWalk).
struct Tile { count: u32, first: u32, offset: u32, firstWalk: u32, endWalk: u32, queries: QueryTile }

fn tileAt(group: vec3u, rows: u32) -> Tile {
  var tile: Tile;
  if (byKey()) {
    let perKv = P.heads / P.kvHeads;
    let at = intervalOfTile(group.x);
    tile.offset = (group.x - table[at + 3u]) * TILE + group.y * rows;
    tile.count = min(rows, table[at + 1u] - min(tile.offset, table[at + 1u]));
    tile.first = table[at] + tile.offset;
    tile.firstWalk = table[at + 2u] * perKv;
    tile.endWalk = table[at + 6u] * perKv;
  } else {
    tile.queries = queryTile(group.x, group.y, rows);
    tile.count = tile.queries.count;
    tile.endWalk = 1u;
  }
  return tile;
}

// Where row i of the tile lies, in rows of one head.
fn ownIndex(tile: Tile, kvHead: u32, i: u32) -> u32 {
  if (byKey()) { return (tile.first + i) * P.kvHeads + kvHead; }
  return pairRow(tile.queries, kvHead, i);
}

// What decides whether a query sees a key: key < limit; and the query's statistics.
struct Row { key: u32, limit: u32, stats: vec2f }

fn ownRow(tile: Tile, index: u32, i: u32) -> Row {
  if (byKey()) { return Row(i, ALL, vec2f()); }
  return Row(0u, visibleToPair(tile.queries, i), stats[index]);
}

struct Walk { segment: Segment, first: u32, end: u32, head: u32, logical: u32 }

fn walkAt(tile: Tile, kvHead: u32, walk: u32) -> Walk {
  let perKv = P.heads / P.kvHeads;
  if (byKey()) {
    let at = P.readersAt + walk / perKv * 2u;
    let s = segmentAt(table[at]);
    let logical = table[at + 1u] + tile.offset;
    return Walk(s, firstReader(s, logical), s.queryCount, kvHead * perKv + walk % perKv, logical);
  }
  return Walk(tile.queries.segment, 0u, visibleToPair(tile.queries, tile.count - 1u), kvHead, 0u);
}

fn otherIndex(walk: Walk, i: u32) -> u32 {
  if (byKey()) { return (walk.segment.queryStart + i) * P.heads + walk.head; }
  return keyRow(walk.segment, i) * P.kvHeads + walk.head;
}

fn otherRow(walk: Walk, index: u32, i: u32) -> Row {
  if (byKey()) { return Row(walk.logical, visible(walk.segment, i), stats[index]); }
  return Row(i, ALL, vec2f());
}

// What an own and an other row weigh: the probability, and the gradient of the score. stats: (log-sum-exp, row sum of gradient * output) of the
// query. error: gradient of the probability.
fn weightsOf(score: f32, error: f32, own: Row, other: Row) -> vec2f {
  let query = own.stats + other.stats;
  let seen = own.key + other.key < min(own.limit, other.limit);
  let d = fma(score, P.scale, -query.x);
  let p = select(exp(max(d, -87.0)), d, is_nan(d));
  return select(vec2f(), vec2f(p, p * (error - query.y) * P.scale), seen);
}
`;

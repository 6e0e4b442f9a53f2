// Segments on the CPU: validation, and the table of segments, key intervals and their readers that the kernels walk.
import { TensorError } from "../../error.ts";

/**
 * Contiguous query rows that see at most two ranges of key rows, all in rows: the whole prefix range and, of the own range, all
 * keys or (causal) keys 0 to `ownCount - queryCount + i` for query i, so that the last query sees them all.
 */
export interface Segment {
  readonly queryStart: number;
  readonly queryCount: number;
  readonly prefixStart: number;
  readonly prefixCount: number;
  readonly ownStart: number;
  readonly ownCount: number;
  readonly causal: boolean;
}

/** Rows that see one another and nothing else, each those up to itself: causal; `changes` say what else they see. */
export function rowSegment(start: number, count: number, changes: Partial<Segment> = {}): Segment {
  const queries = { queryStart: start, queryCount: count };
  return { ...queries, prefixStart: 0, prefixCount: 0, ownStart: start, ownCount: count, causal: true, ...changes };
}

/** Queries, and keys, of one tile; tiles never cross segments. */
export const TILE = 16;
/** Keys of one block of the canonical order, counted from a segment's logical key 0. */
export const BLOCK = 64;

const SEGMENT_WORDS = 8;
const INTERVAL_WORDS = 4;

/** What the host knows of a table. */
export interface SegmentPlan {
  readonly segments: readonly Segment[];
  /** The table as the kernels read it: segments, then intervals, then readers. */
  readonly words: Uint32Array;
  readonly queries: number;
  /** Key rows that some segment may read lie below this. */
  readonly keys: number;
  readonly queryTiles: number;
  readonly keyTiles: number;
  /** Most logical keys, and most queries, that any segment has. */
  readonly mostKeys: number;
  readonly mostQueries: number;
  /** Most queries that may see a key row. */
  readonly mostReading: number;
  /** Where the intervals and the readers start in the table, and how many intervals there are. */
  readonly intervalsAt: number;
  readonly intervals: number;
  readonly readersAt: number;
}

/** Reader of an interval of key rows: a segment, and the interval's first logical key in it. */
interface Reader {
  readonly segment: number;
  readonly logical: number;
}

/**
 * Validates the segments and lays out their table. Throws `argument` unless their query ranges follow one another from row 0 on
 * without a gap, and all numbers are whole, not negative and below 2^30.
 */
export function planSegments(segments: readonly Segment[]): SegmentPlan {
  let queries = 0;
  let queryTiles = 0;
  let keys = 0;
  let mostKeys = 0;
  let mostQueries = 0;
  const records: number[] = [];
  segments.forEach((segment, index) => {
    const { queryStart, queryCount, prefixStart, prefixCount, ownStart, ownCount, causal } = segment;
    const numbers = [queryStart, queryCount, prefixStart, prefixCount, ownStart, ownCount];
    if (numbers.some((n) => !Number.isInteger(n) || n < 0 || n >= 2 ** 30)) {
      throw new TensorError("argument", `segment ${index}: row numbers must be whole and in [0, 2^30): ${numbers}`);
    }
    if (queryStart !== queries) {
      throw new TensorError(
        "argument",
        `segment ${index} starts at query row ${queryStart}, but the one before ends at ${queries}: segments must follow one another`,
      );
    }
    records.push(...numbers, causal ? 1 : 0, queryTiles);
    queries += queryCount;
    queryTiles += Math.ceil(queryCount / TILE);
    mostKeys = Math.max(mostKeys, prefixCount + ownCount);
    mostQueries = Math.max(mostQueries, queryCount);
    if (prefixCount > 0) keys = Math.max(keys, prefixStart + prefixCount);
    if (ownCount > 0) keys = Math.max(keys, ownStart + ownCount);
  });
  const { intervals, keyTiles, readers, mostReading } = invert(segments, keys);
  return {
    segments,
    words: Uint32Array.from([...records, ...intervals, ...readers]),
    queries,
    keys,
    queryTiles,
    keyTiles,
    mostKeys,
    mostQueries,
    mostReading,
    intervalsAt: records.length,
    intervals: intervals.length / INTERVAL_WORDS - 1,
    readersAt: records.length + intervals.length,
  };
}

/** What the forward pass's dispatches depend on: those of one plan can walk the words of another of the same form. */
export function formOf(plan: SegmentPlan): string {
  const { segments, queries, queryTiles, mostKeys, mostQueries, intervalsAt, intervals, readersAt } = plan;
  const blocks = Math.ceil(mostKeys / BLOCK);
  return [segments.length, queries, queryTiles, blocks, mostQueries, intervalsAt, intervals, readersAt].join();
}

/** Splits the key rows [0, keys) where any range begins or ends, and lists for each interval who reads it, in ascending order. */
function invert(
  segments: readonly Segment[],
  keys: number,
): { intervals: number[]; keyTiles: number; readers: number[]; mostReading: number } {
  const starting = new Map<number, Reader[]>();
  const ending = new Map<number, Reader[]>();
  const edges = new Set([0, keys]);
  segments.forEach(({ queryCount, prefixStart, prefixCount, ownStart, ownCount }, segment) => {
    if (queryCount === 0) return;
    for (const [start, count, first] of [
      [prefixStart, prefixCount, 0],
      [ownStart, ownCount, prefixCount],
    ] as const) {
      if (count === 0) continue;
      const reader: Reader = { segment, logical: first - start };
      push(starting, start, reader);
      push(ending, start + count, reader);
      edges.add(start).add(start + count);
    }
  });
  const sorted = [...edges].sort((a, b) => a - b);
  const active = new Set<Reader>();
  const intervals: number[] = [];
  const readers: number[] = [];
  let keyTiles = 0;
  let mostReading = 0;
  for (const [e, end] of sorted.entries()) {
    const start = sorted[e - 1];
    if (start === undefined) continue;
    const count = end - start;
    for (const reader of ending.get(start) ?? []) active.delete(reader);
    for (const reader of starting.get(start) ?? []) active.add(reader);
    intervals.push(start, count, readers.length / 2, keyTiles);
    const ordered = [...active].sort((a, b) => a.segment - b.segment || a.logical - b.logical);
    let reading = 0;
    for (const { segment, logical } of ordered) {
      readers.push(segment, logical + start);
      reading += segments[segment]?.queryCount ?? 0;
    }
    mostReading = Math.max(mostReading, reading);
    keyTiles += Math.ceil(count / TILE);
  }
  intervals.push(keys, 0, readers.length / 2, keyTiles);
  return { intervals, keyTiles, readers, mostReading };
}

function push(map: Map<number, Reader[]>, at: number, reader: Reader): void {
  const list = map.get(at);
  if (list) list.push(reader);
  else map.set(at, [reader]);
}

/** Logical keys that query `i` of a segment sees: those below this number. */
export function visibleKeys(segment: Segment, i: number): number {
  const { prefixCount, ownCount, queryCount, causal } = segment;
  return prefixCount + (causal ? Math.max(0, ownCount - queryCount + i + 1) : ownCount);
}

/** The key row of a logical key. */
export function keyRow(segment: Segment, logical: number): number {
  const { prefixStart, prefixCount, ownStart } = segment;
  return logical < prefixCount ? prefixStart + logical : ownStart + logical - prefixCount;
}

export { INTERVAL_WORDS, SEGMENT_WORDS };

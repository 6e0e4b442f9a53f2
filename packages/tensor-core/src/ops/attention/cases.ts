// Cases of segment attention for the conformance suite.
import type { OpCase } from "../define.ts";
import type { AttentionParams } from "./forward.ts";
import { planSegments, rowSegment, type Segment } from "./plan.ts";

/** Segments in which each sequence sees its own rows only. */
export function packed(lengths: readonly number[], causal: boolean): Segment[] {
  return rowsOneAfterAnother(0, lengths, { causal });
}

/** A prompt, and responses that each see it and themselves. */
export function sharedPrefix(prompt: number, responses: readonly number[]): Segment[] {
  return [rowSegment(0, prompt), ...rowsOneAfterAnother(prompt, responses, { prefixCount: prompt })];
}

/** Sequences of these lengths, from row `first` on. */
function rowsOneAfterAnother(first: number, lengths: readonly number[], changes: Partial<Segment>): Segment[] {
  let start = first;
  return lengths.map((count) => {
    start += count;
    return rowSegment(start - count, count, changes);
  });
}

function attentionCase(
  name: string,
  segments: readonly Segment[],
  [heads, kvHeads, headDim]: readonly [heads: number, kvHeads: number, headDim: number],
  more: { spareKeys?: number; full?: boolean } = {},
): OpCase<AttentionParams> {
  const plan = planSegments(segments);
  const keys = plan.keys + (more.spareKeys ?? 0);
  return {
    name,
    inputs: [
      { shape: [plan.queries, heads * headDim] },
      { shape: [keys, kvHeads * headDim] },
      { shape: [keys, kvHeads * headDim] },
      { shape: [plan.words.length], dtype: "u32", values: [...plan.words] },
    ],
    params: { plan, heads, kvHeads, headDim, scale: headDim ** -0.5 },
    tolerance: 4e-6,
    full: more.full ?? false,
  };
}

const decode: Segment[] = [
  { queryStart: 0, queryCount: 1, prefixStart: 3, prefixCount: 70, ownStart: 80, ownCount: 9, causal: true },
  { queryStart: 1, queryCount: 1, prefixStart: 3, prefixCount: 70, ownStart: 100, ownCount: 1, causal: true },
  { queryStart: 2, queryCount: 1, prefixStart: 0, prefixCount: 0, ownStart: 120, ownCount: 200, causal: true },
];
const secondTurn: Segment[] = [
  { queryStart: 0, queryCount: 5, prefixStart: 0, prefixCount: 40, ownStart: 40, ownCount: 30, causal: true },
  { queryStart: 5, queryCount: 18, prefixStart: 0, prefixCount: 40, ownStart: 70, ownCount: 130, causal: true },
];
const noKeys: Segment[] = [
  { queryStart: 0, queryCount: 3, prefixStart: 0, prefixCount: 0, ownStart: 0, ownCount: 0, causal: false },
  { queryStart: 3, queryCount: 0, prefixStart: 0, prefixCount: 2, ownStart: 0, ownCount: 0, causal: true },
  { queryStart: 3, queryCount: 6, prefixStart: 0, prefixCount: 0, ownStart: 2, ownCount: 4, causal: true },
];

export const attentionCases: readonly OpCase<AttentionParams>[] = [
  attentionCase("one sequence", packed([5], false), [1, 1, 12]),
  attentionCase("vision windows", packed([64, 16, 16, 4, 24], false), [4, 4, 12]),
  attentionCase("causal, grouped heads", packed([37, 1, 70], true), [4, 2, 16]),
  attentionCase("shared prefix", sharedPrefix(75, [9, 1, 20]), [2, 1, 16]),
  attentionCase("head of 32", sharedPrefix(20, [50, 3]), [6, 2, 32]),
  attentionCase("head of 80", packed([66, 5], false), [2, 2, 80]),
  attentionCase("head of 128, groups of 7", sharedPrefix(18, [9, 5]), [7, 1, 128]),
  attentionCase("decode", decode, [4, 2, 16], { spareKeys: 5 }),
  attentionCase("second turn", secondTurn, [4, 2, 64]),
  attentionCase("queries without keys", noKeys, [2, 1, 8]),
  attentionCase("no keys at all", noKeys.slice(0, 1), [2, 2, 8]),
  attentionCase("one key", packed([1], true), [1, 1, 4]),
  attentionCase("empty", [], [2, 1, 16]),
  attentionCase("long", packed([300, 211], true), [2, 2, 64], { full: true }),
];

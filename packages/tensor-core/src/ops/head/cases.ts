// The head's test cases: ragged and blockwise vocabularies, repeated rows and pairs, temperature, banned ids, bf16.
import type { CaseInput, OpCase } from "../define.ts";
import type { HeadParams } from "./params.ts";

function headCase(
  name: string,
  [rows, d, vocabulary]: readonly [number, number, number],
  pairs: readonly (readonly [row: number, target: number])[],
  more: Omit<HeadParams, "pairs"> & { readonly bf16?: boolean; readonly full?: boolean } = {},
): OpCase<HeadParams> {
  const { bf16 = false, full = false, ...options } = more;
  const weight: CaseInput = { shape: [vocabulary, d], dtype: bf16 ? "bf16" : "f32" };
  return {
    name,
    inputs: [{ shape: [rows, d] }, weight],
    params: { ...options, pairs: { rows: pairs.map(([row]) => row), targets: pairs.map(([, target]) => target) } },
    tolerance: 1e-5,
    full,
  };
}

const spread = (count: number, rows: number, vocabulary: number): [number, number][] =>
  Array.from({ length: count }, (_, i) => [(i * 7) % rows, (i * 611) % vocabulary]);

export const headCases: readonly OpCase<HeadParams>[] = [
  headCase("one id", [1, 2, 1], [[0, 0]]),
  headCase(
    "small, a pair twice, a row without pairs",
    [3, 4, 5],
    [
      [2, 4],
      [0, 1],
      [2, 0],
      [2, 4],
    ],
  ),
  headCase("no pairs", [2, 4, 5], []),
  headCase("no rows", [0, 4, 5], []),
  headCase("blocks, ragged, cold, banned", [5, 6, 777], spread(9, 5, 777), {
    temperature: 0.7,
    bannedIds: [1, 255, 256, 300, 776],
  }),
  headCase(
    "a banned block",
    [2, 4, 600],
    [
      [0, 0],
      [1, 599],
    ],
    { bannedIds: Array.from({ length: 256 }, (_, i) => 256 + i) },
  ),
  headCase("bf16, two slices", [9, 8, 2100], spread(20, 9, 2100), { bf16: true, temperature: 1.3, bannedIds: [2048] }),
  headCase("two chunks of rows", [1030, 4, 300], spread(40, 1030, 300), { full: true }),
  headCase("wide", [20, 64, 5000], spread(64, 20, 5000), { full: true, temperature: 4 }),
];

// The segment table, against brute force: which queries read which key, and where.
import fc from "fast-check";
import { expect, test } from "vitest";
import { keyRow, planSegments, type Segment, TILE, visibleKeys } from "../src/ops/attention/plan.ts";

const range = fc.record({ start: fc.nat(40), count: fc.nat(30) });
const segmentList = fc
  .array(fc.record({ queries: fc.nat(20), prefix: range, own: range, causal: fc.boolean() }), { maxLength: 8 })
  .map((items) => {
    let queryStart = 0;
    return items.map(({ queries, prefix, own, causal }): Segment => {
      const segment = {
        queryStart,
        queryCount: queries,
        prefixStart: prefix.start,
        prefixCount: prefix.count,
        ownStart: own.start,
        ownCount: own.count,
        causal,
      };
      queryStart += queries;
      return segment;
    });
  });

test("intervals partition the keys, and list exactly the logical keys that read them, in ascending order", () => {
  fc.assert(
    fc.property(segmentList, (segments) => {
      const plan = planSegments(segments);
      const interval = (i: number) => plan.words.subarray(plan.intervalsAt + i * 4, plan.intervalsAt + i * 4 + 4);
      let row = 0;
      let tiles = 0;
      let mostReading = 0;
      for (let i = 0; i < plan.intervals; i++) {
        const [start, count, first, firstTile] = interval(i);
        expect([start, firstTile]).toEqual([row, tiles]);
        const end = interval(i + 1)[2]!;
        for (let key = start!; key < start! + count!; key++) {
          const listed: string[] = [];
          for (let r = first!; r < end; r++) {
            const at = plan.readersAt + r * 2;
            listed.push(`${plan.words[at]}:${plan.words[at + 1]! + key - start!}`);
          }
          expect(listed).toEqual(readersOf(segments, key));
          const reading = listed.reduce((sum, name) => sum + segments[Number.parseInt(name, 10)]!.queryCount, 0);
          mostReading = Math.max(mostReading, reading);
        }
        row += count!;
        tiles += Math.ceil(count! / TILE);
      }
      expect([row, tiles, mostReading]).toEqual([plan.keys, plan.keyTiles, plan.mostReading]);
    }),
    { numRuns: process.env.IAPO_FULL === "1" ? 2000 : 200 },
  );
});

function readersOf(segments: readonly Segment[], key: number): string[] {
  return segments.flatMap((segment, index) => {
    if (segment.queryCount === 0) return [];
    const logical = Array.from({ length: segment.prefixCount + segment.ownCount }, (_, j) => j);
    return logical.filter((j) => keyRow(segment, j) === key).map((j) => `${index}:${j}`);
  });
}

test("the last query of a causal segment sees all its keys, and each one before it a key less", () => {
  const segment = {
    queryStart: 0,
    queryCount: 4,
    prefixStart: 0,
    prefixCount: 3,
    ownStart: 3,
    ownCount: 2,
    causal: true,
  };
  expect([0, 1, 2, 3].map((i) => visibleKeys(segment, i))).toEqual([3, 3, 4, 5]);
  expect(visibleKeys({ ...segment, causal: false }, 0)).toBe(5);
});

// A penalty of the user's own counts, and what is no penalty is refused by file, group, sample and value.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Trace } from "@iapo/rollout-trace";
import { afterAll, expect, test } from "vitest";
import { loadFunction, ownPenalty, type PenaltyFunction } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "own-penalty-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(source: string): Promise<PenaltyFunction> {
  const file = join(folder, `${Math.random()}.mjs`);
  writeFileSync(file, `export const mine = ${source};`);
  return ownPenalty(await loadFunction<PenaltyFunction>(`${file}#mine`, "."));
}

const traceOf = (group: number, sample: number): Trace => ({
  ...({ version: 2, step: 0, policyVersion: 0, blocks: [], toolOutcomes: [], turns: [] } as const),
  ...{ group, sample, rewards: { outcome: sample }, task: { id: "a", source: "", split: "", content: "text" } },
});
const groups = [[traceOf(4, 0), traceOf(4, 1)], [traceOf(5, 0)]];

test("numbers and penalties with evidence count", async () => {
  const penalty = await load("(groups, step) => [[0.5, { penalty: step, evidence: { why: [1, 2] } }], [0]]");
  expect(await penalty(groups, 3)).toEqual([
    [{ penalty: 0.5 }, { penalty: 3, evidence: { why: [1, 2] } }],
    [{ penalty: 0 }],
  ]);
});

test.each([
  ["() => { throw new Error('not today'); }", "module", /it throws not today/],
  ["() => undefined", "shape", /it gives undefined; give a list of 2 groups/],
  ["() => [[0, 0]]", "shape", /give a list of 2 groups/],
  ["() => [[0], [0]]", "shape", /group 4 has 2 samples, but it gives \[0\]/],
  ["() => [[0, NaN], [0]]", "shape", /at group 4, sample 1 it gives NaN; give a finite number/],
  ["() => [[0, 0], ['high']]", "shape", /at group 5, sample 0 it gives "high"/],
  ["() => [[0, 0], [{ penalty: 1, evidence: { a: [NaN] } }]]", "shape", /at group 5, sample 0/],
])("%s is refused", async (source, code, message) => {
  const work = (await load(source))(groups, 0);
  await expect(work).rejects.toThrow(message);
  await expect(work).rejects.toThrow(/the penalty function mine of .*\.mjs: /);
  await expect(work).rejects.toMatchObject({ code });
});

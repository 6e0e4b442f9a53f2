// A penalty of the user's own counts, and what is no penalty is refused by file, group, sample and value.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Trace } from "@iapo/rollout-trace";
import { afterAll, expect, test } from "vitest";
import {
  loadFunction,
  type OwnPenaltyFunction,
  ownPenalty,
  type PenaltyFunction,
  recordedScorers,
  type Scorers,
} from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "own-penalty-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(source: string): Promise<PenaltyFunction> {
  const file = join(folder, `${Math.random()}.mjs`);
  writeFileSync(file, `export const mine = ${source};`);
  return ownPenalty(await loadFunction<OwnPenaltyFunction>(`${file}#mine`, "."));
}

const traceOf = (group: number, sample: number): Trace => ({
  ...({ version: 2, step: 0, policyVersion: 0, blocks: [], toolOutcomes: [], turns: [] } as const),
  ...{ group, sample, rewards: { outcome: sample }, task: { id: "a", source: "", split: "", content: "text" } },
});
/** Scores a trace by its place; asked twice, it says so. */
const scorers = (hasTeacher = true): Scorers => {
  const scorer = (offset: number) => ({
    logProbs: async (requests: Parameters<Scorers["policy"]["logProbs"]>[0]) =>
      requests.map(({ trace: { group, sample } }) => Float32Array.of(offset + group, sample)),
    firstTurns: async (traces: readonly Trace[]) => traces.map(({ group }) => `${offset}/${group} ✓`),
  });
  return { policy: scorer(0), teacher: hasTeacher ? scorer(100) : undefined };
};

const groups = [[traceOf(4, 0), traceOf(4, 1)], [traceOf(5, 0)]];

test("numbers and penalties with evidence count", async () => {
  const penalty = await load("(groups, step) => [[0.5, { penalty: step, evidence: { why: [1, 2] } }], [0]]");
  expect(await penalty(groups, 3, scorers())).toEqual([
    [{ penalty: 0.5 }, { penalty: 3, evidence: { why: [1, 2] } }],
    [{ penalty: 0 }],
  ]);
});

test("what its scorers answered is evidence of each trace, and a replay answers with it, without a model", async () => {
  const penalty = await load(`async (groups, step, { policy, teacher }) => {
    const requests = groups.flat().map((trace) => ({ trace }));
    const [own, other, again] = [await policy.logProbs(requests), await teacher.logProbs(requests), await teacher.logProbs(requests.slice(1))];
    const texts = await teacher.firstTurns(groups.flat());
    let i = 0;
    return groups.map((traces) => traces.map(() => ({ penalty: own[i][0] + other[i][1] + texts[i++].length, evidence: { mine: [again.length] } })));
  }`);
  const made = await penalty(groups, 0, scorers());
  expect(made[0]?.[1]).toEqual({
    penalty: 4 + 1 + 7,
    evidence: {
      ...{ policy_log_probs: [4, 1], teacher_log_probs: [104, 1], "teacher_log_probs.1": [104, 1] },
      ...{ teacher_first_turn: [..."100/4 ✓"].map((one) => one.charCodeAt(0)), mine: [2] },
    },
  });
  expect(made[0]?.[0]?.evidence).not.toHaveProperty(["teacher_log_probs.1"]);
  const evidenceOf = ({ group, sample }: Trace) => made[group - 4]?.[sample]?.evidence ?? {};
  expect(await penalty(groups, 0, recordedScorers(evidenceOf, true))).toEqual(made);
  await expect(
    penalty(
      groups,
      0,
      recordedScorers(() => ({}), true),
    ),
  ).rejects.toThrow(/group 4, sample 0 has no evidence called policy_log_probs/);
  await expect(penalty(groups, 0, scorers(false))).rejects.toMatchObject({ code: "module" });
  await expect(penalty(groups, 0)).rejects.toMatchObject({ code: "argument" });
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
  const work = (await load(source))(groups, 0, scorers());
  await expect(work).rejects.toThrow(message);
  await expect(work).rejects.toThrow(/the penalty function mine of .*\.mjs: /);
  await expect(work).rejects.toMatchObject({ code });
});

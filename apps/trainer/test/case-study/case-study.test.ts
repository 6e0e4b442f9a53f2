// iapo case-study on nano models with random weights: of a run's checkpoints, of models by name; resumed; refused.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectRefusal, iapo, temporaryFolder } from "../support/iapo.ts";
import { nanoModels } from "../support/nano-model.ts";

const folder = mkdtempSync(join(tmpdir(), "iapo-case-study-"));
const [student, teacher] = [join(folder, "student"), join(folder, "teacher")] as const;
beforeAll(() => nanoModels([student, teacher]), 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

test("the beginning and each checkpoint of a run, beside the teacher, in its directory; nothing twice", async () => {
  const run = join(temporaryFolder(), "run");
  const settings = [
    ...[`model.directory=${student}`, `teacher.directory=${teacher}`, "iapo.target=turn1"],
    "iapo.noCallPenalty=turn1_attribution",
    ...["grpo.steps=2", "grpo.groups=1", "grpo.rollout.samples=2"],
    ...["grpo.rollout.maxTokens=6", "grpo.checkpoint.every=1", "grpo.checkpoint.keep=2", "grpo.evaluate="],
  ].flatMap((one) => ["--set", one]);
  expect((await iapo(["train", "nano-iapo-occlusion", ...settings, "--out", run])).code).toBe(0);
  const args = ["case-study", run, "--charts", "3", "--methods", "occlusion"];
  const first = await iapo(args);
  expect(first.err).toMatch(/step 0: \d calls on 3 charts, \d of the wrong axis\nstep 1: .*\nstep 2: .*\nteacher: /);
  expect(first.code).toBe(0);
  expect(first.out).toMatch(/^ *model +responses +calls +misuse +right names +accuracy +occlusion: right/);
  const { student: points, teacher: line } = JSON.parse(readFileSync(join(run, "case-study.json"), "utf8"));
  expect(points.map(({ step }: { step: number }) => step)).toEqual([0, 1, 2]);
  expect(line.responses).toBe(3);
  for (const { study } of points) {
    // Random weights write no program; all that they say is explained.
    expect(study.definitions).toMatchObject([{ method: { method: "occlusion" }, calls: 3 }]);
    const { rightShare, misusedShare } = study.definitions[0];
    expect(rightShare.mean).toBeGreaterThan(0);
    expect(rightShare.mean + misusedShare.mean).toBeLessThan(1);
  }
  expect(points[1].study.definitions).not.toEqual(points[0].study.definitions);
  expect(readFileSync(join(run, "case-study.csv"), "utf8").trimEnd().split("\n")).toHaveLength(5);
  expect(readFileSync(join(run, "case-study.svg"), "utf8")).toMatch(/Misused tools, /);
  const again = await iapo(args);
  expect([again.out, again.err]).toEqual([first.out, ""]);

  // A checkpoint is the model that the run begins with, trained: as a model of its own it gives the same numbers.
  const exported = join(run, "..", "exported");
  expect((await iapo(["export", run, "--last", "--out", exported])).code).toBe(0);
  const out = join(run, "..", "models");
  const named = [run, "--model", exported, "--model", teacher, "--charts", "3", "--methods", "occlusion"];
  expect((await iapo(["case-study", ...named, "--out", out])).code).toBe(0);
  const byName = JSON.parse(readFileSync(join(out, "case-study.json"), "utf8"));
  expect(byName.student[0].study).toEqual(points[2].study);
  expect(byName.student[1].study).toEqual(byName.teacher);
  expect(byName.teacher).toEqual(line);
}, 600_000);

test.each([
  [["--model", "nano-studnt"], 1, /no such directory or shipped model; did you mean nano-student\? \(missing\)/],
  [["--methods", "occlussion"], 2, /no method occlussion \(Did you mean occlusion\?\)/],
  [["/nowhere/run"], 2, /no such file or recipe/],
  [["--charts", "0"], 2, /whole number of at least 1/],
] as const)("%j is refused", async (args, code, message) => {
  const out = join(temporaryFolder(), "out");
  await expectRefusal(["case-study", ...args, "--out", out], code, message);
  expect(existsSync(out)).toBe(false);
});

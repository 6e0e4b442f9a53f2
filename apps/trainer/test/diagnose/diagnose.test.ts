// iapo diagnose on nano models with random weights: result, resume after a kill, the choice on other tables, refusals.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectRefusal, iapo, start, temporaryFolder } from "../support/iapo.ts";
import { nanoModels } from "../support/nano-model.ts";

const folder = mkdtempSync(join(tmpdir(), "iapo-diagnose-"));
const [student, teacher] = [join(folder, "student"), join(folder, "teacher")] as const;
beforeAll(() => nanoModels([student, teacher]), 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const models = ["--student", student, "--teacher", teacher];
const read = (...path: string[]) => readFileSync(join(...path), "utf8");

test("every cell with both areas; a killed one goes on; its choice is reported on other tables only", async () => {
  const out = join(temporaryFolder(), "choice");
  const args = ["diagnose", ...models, "--charts", "2", "--out", out];
  const running = start(args);
  const firstScores = new Promise<void>((resolve) => {
    running.child.stderr?.on("data", (text: Buffer) => String(text).includes("1 of 10 charts") && resolve());
  });
  await firstScores;
  running.child.kill("SIGKILL");
  expect((await running.ended).signal).toBe("SIGKILL");
  const kept = read(out, "scores.jsonl").trimEnd().split("\n");
  expect(kept.length).toBe(1);

  const { code, out: table, err } = await iapo(args);
  expect(err).not.toMatch(/\b1 of 10/);
  expect(code).toBe(0);
  expect(read(out, "scores.jsonl").startsWith(kept[0]!)).toBe(true);
  expect(table).toMatch(/^2 charts, kl_student_teacher, target code; 95 % intervals/);
  const { diagnosis, charts } = JSON.parse(read(out, "diagnosis.json"));
  expect(charts).toEqual({ seed: 1, split: "validation", count: 2 });
  expect(diagnosis.cells).toHaveLength(4 * 3 * 4 * 4 + 1);
  expect(diagnosis.states).toEqual(["as it is", "biased to columns", "biased to rows", "biased to no call"]);
  for (const { faults, states } of diagnosis.cells) {
    expect(states).toHaveLength(4);
    for (const fault of ["wrong_axis", "wrong_names"]) {
      expect(faults[fault].right).toBeGreaterThanOrEqual(0);
      const { auc, low, high } = faults[fault].paired;
      expect(states.every((state: typeof faults) => state[fault].paired.auc >= auc)).toBe(true);
      expect([0, 0.25, 0.5, 0.75, 1].some((value) => Math.abs(auc - value) < 1e-12)).toBe(true);
      expect(low <= auc && auc <= high).toBe(true);
    }
  }
  expect(read(out, "diagnosis.svg")).toMatch(/^<svg[\s\S]*wrong axis above right call[\s\S]*<\/svg>\n?$/);

  const again = await iapo(args); // nothing is computed again, and nothing changes
  expect([again.out, again.err]).toEqual([table, ""]);

  const chosen = join(out, "chosen.json");
  writeFileSync(
    chosen,
    JSON.stringify({ ...JSON.parse(read(out, "diagnosis.json")), diagnosis: { ...diagnosis, recommended: 5 } }),
  );
  await expectRefusal([...args, "--choice", chosen], 2, /was made on the tables of validation too.*--split test/);
  const report = [
    "diagnose",
    ...models,
    "--charts",
    "1",
    "--split",
    "test",
    "--choice",
    chosen,
    "--out",
    join(out, "report"),
  ];
  const reported = await iapo([...report, "--json"]);
  expect(reported.code).toBe(0);
  const { choice, diagnosis: there } = JSON.parse(reported.out);
  expect(there.recommended).toBe(5);
  expect(there.cells[5].settings).toEqual(diagnosis.cells[5].settings);
  expect(choice.there.wrong_axis).toEqual(diagnosis.cells[5].faults.wrong_axis.paired);
  expect(choice.here.wrong_names).toEqual(there.cells[5].faults.wrong_names.paired);
  const swapped = ["diagnose", "--student", teacher, "--teacher", student, ...report.slice(5)];
  await expectRefusal(swapped, 1, /diagnosis of other models.*\(settings\)/);
}, 600_000);

test.each([
  [["--student", "nano-studnt"], 1, /no such directory or shipped model; did you mean nano-student\? \(missing\)/],
  [["--student", import.meta.dirname, "--teacher", student], 1, /holds no config\.json.*\(invalid\)/],
  [["nano-grop"], 2, /no such file or recipe; did you mean the recipe nano-grpo\?/],
  [[...models, "--charts", "none"], 2, /whole number of at least 1/],
  [[...models, "--split", "dev"], 2, /Allowed choices are train, validation, test/],
  [
    [...models, "--choice", "/nowhere/diagnosis.json"],
    1,
    /\/nowhere\/diagnosis\.json: there is no such file.*\(missing\)/,
  ],
  [[...models, "--choice", import.meta.filename], 1, /is not the result of a diagnosis.*\(invalid\)/],
] as const)("%j is refused", async (args, code, message) => {
  await expectRefusal(["diagnose", ...args], code, message);
});

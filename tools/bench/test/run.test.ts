// The whole harness with real processes on the real adapter, on a benchmark whose cases go right, wrong, and nowhere.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { resultOf, save, table } from "../harness/result.ts";
import { run } from "../harness/run.ts";
import sums from "./fixtures/sums.bench.ts";

const file = join(import.meta.dirname, "fixtures/sums.bench.ts");

test("a right row, a wrong one with its profile, an impossible one, and a library that dies", async () => {
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const options = { baselines: ["again"], peers: [], rounds: 1, filter: "", note };
  const measured = await run({ file, workload: sums.workload, ...options });
  const result = resultOf("sums", "abc", measured);
  expect(result.rows).toMatchObject([
    { case: "right", unit: "GB/s", correct: true, peers: { again: expect.any(Number) } },
    { case: "wrong", correct: false, profile: [{ kernel: "add", milliseconds: 1 }] },
    { case: "impossible", ours: null, correct: false },
    { case: "dies", ours: null, correct: false },
    { case: "after", ours: null, correct: false },
  ]);
  expect(result.rows[0]?.ours).toBeGreaterThan(0);
  expect(result.rows[0]?.fractionOfPeak).toBeGreaterThan(0);
  expect(result.rows[0]?.ratioToBestPeer).toBeGreaterThan(0);
  expect(result.rows[0]).not.toHaveProperty("profile");
  expect(notes.join("\n")).toContain("dies: ours ended (exit code 7)");
  expect(table(measured)).toMatch(/wrong +GB\/s .*WRONG/);

  const folder = mkdtempSync(join(tmpdir(), "iapo-bench-results-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const saved = JSON.parse(readFileSync(save(join(folder, "new"), result), "utf8"));
  expect(Object.keys(saved)).toEqual(["name", "date", "commit", "adapter", "versions", "load", "rows"]);
  const columns = ["case", "unit", "ours", "peers", "ratioToBestPeer", "fractionOfPeak", "correct"];
  expect(Object.keys(saved.rows[0])).toEqual(columns);
  expect(saved.versions).toMatchObject({ node: process.versions.node, sums: "1" });
});

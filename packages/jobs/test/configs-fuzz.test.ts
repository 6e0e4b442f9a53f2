/** The fuzzer of jobs' configurations, in a process of its own; `./check --full` runs it at length. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const runs = process.env.IAPO_FULL === "1" ? 10_000 : 100;

test(`of ${runs} edited recipes each is what the schema allows, or refused in one screen`, async () => {
  const script = fileURLToPath(new URL("../fuzz/job-configs.fuzz.ts", import.meta.url));
  const env = { ...process.env, IAPO_FUZZ_RUNS: String(runs), IAPO_FUZZ_SEED: "20261129" };
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@iapo/source", script], { env });
  const report = JSON.parse(stdout) as { loaded: number; refused: number };
  expect(report.loaded + report.refused).toBe(runs);
  // A fuzz that never gets through proves nothing.
  expect(Math.min(report.loaded, report.refused)).toBeGreaterThan(runs / 20);
}, 600_000);

/** The fuzzers of this package, each in a process of its own; `./check --full` runs them at length. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const isFull = process.env.IAPO_FULL === "1";

test.each([
  ["rows", 10_000, 200],
  ["chat", 10_000, 2000],
  ["answers", 100_000, 1500],
] as const)(
  "fuzz of %s",
  async (name, long, short) => {
    const runs = isFull ? long : short;
    const script = fileURLToPath(new URL(`../fuzz/${name}.fuzz.ts`, import.meta.url));
    const args = ["--conditions=@iapo/source", script, String(runs), "20261129"];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const report = JSON.parse(stdout) as { runs: number; rssMiB: number; counts: Record<string, number> };
    expect(report.runs).toBe(runs);
    expect(report.rssMiB).toBeLessThan(1024);
    // A fuzz that never gets through proves nothing.
    const needed = { rows: ["tasks", "bad"], chat: ["reply", "refused", "repeated"], answers: ["right", "wrong"] }[
      name
    ];
    for (const kind of needed) expect(report.counts[kind], kind).toBeGreaterThan(runs / 20);
  },
  600_000,
);

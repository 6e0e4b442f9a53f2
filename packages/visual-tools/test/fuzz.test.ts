import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { escapes } from "../fuzz/programs.ts";
import type { FuzzReport } from "../fuzz/run.ts";
import { defaultToolOptions, toolInterpreter } from "../src/index.ts";

const count = process.env.IAPO_FULL === "1" ? 20_000 : 400;

/** A process that may write no file, start no other process or worker, and load no add-on: a try to do so throws. */
const locked = ["--permission", "--allow-fs-read=*", "--conditions=@iapo/source"];

test(`of ${count} responses none throws, exceeds a limit, or reaches an image, a global, a file or a process`, async () => {
  const script = fileURLToPath(new URL("../fuzz/tools.fuzz.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...locked, script, String(count), "20261122"]);
  const report = JSON.parse(stdout) as FuzzReport;
  expect(report.programs).toBe(count);
  // A fuzz that never gets through proves nothing: every status must have been met.
  for (const status of ["ok", "tool_error", "unsupported", "parse_error", "no_tool"]) {
    expect(report.statuses[status], status).toBeGreaterThan(count / 50);
  }
}, 300_000);

test("an escape attempt never counts as a program that worked", () => {
  const image = { width: 64, height: 64, channels: 3, data: new Uint8Array(64 * 64 * 3) } as const;
  const interpreter = toolInterpreter({ ...defaultToolOptions, unknownKey: "error" });
  const worked = escapes.filter(
    (attempt) => interpreter.run(attempt, { image, columns: [], rows: [] }).outcome.status === "ok",
  );
  // These use nothing but the tool language; their boxes and names are what is odd.
  expect(worked.filter((attempt) => !attempt.includes("focus_on_"))).toEqual([]);
});

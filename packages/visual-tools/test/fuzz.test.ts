import { existsSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { escapes } from "../fuzz/programs.ts";
import { fuzzTools } from "../fuzz/run.ts";
import { defaultToolOptions, toolInterpreter } from "../src/index.ts";

const isFull = process.env.IAPO_FULL === "1";

test("no response throws, exceeds a limit, or reaches an image, a global or a file", () => {
  const files = readdirSync(".").sort();
  const report = fuzzTools(isFull ? 20_000 : 400, 20_261_122);
  console.log(JSON.stringify(report));
  // A fuzz that never gets through proves nothing: every status must have been met.
  for (const status of ["ok", "tool_error", "unsupported", "parse_error", "no_tool"]) {
    expect(report.statuses[status], status).toBeGreaterThan(0);
  }
  expect(readdirSync(".").sort()).toEqual(files);
  expect(existsSync("escaped")).toBe(false);
}, 300_000);

test("no escape attempt counts as a program that worked, save those that only use the tool language", () => {
  const image = { width: 64, height: 64, channels: 3, data: new Uint8Array(64 * 64 * 3) } as const;
  const interpreter = toolInterpreter({ ...defaultToolOptions, unknownKey: "error" });
  const worked = escapes.filter(
    (attempt) => interpreter.run(attempt, { image, columns: [], rows: [] }).outcome.status === "ok",
  );
  expect(worked.filter((attempt) => !attempt.includes("focus_on_"))).toEqual([]);
});

// Each example runs as its first line says: programs by node, configurations by `iapo train`.
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun } from "@iapo/rollout-trace/files";
import { runCli } from "@iapo/trainer";
import { expect, onTestFinished, test } from "vitest";
import { root } from "./blocks.ts";
import { runProgram } from "./run-program.ts";

const programs = globSync("examples/*.ts", { cwd: root }).sort();
/** Those of examples/fleet are for Docker and Kubernetes. */
const configurations = globSync("examples/*/*.yaml", { cwd: root, exclude: ["examples/fleet/**"] }).sort();

test.each(programs)("%s runs", { timeout: 300_000 }, async (program) => {
  expect(await runProgram(join(root, program))).not.toBe("");
});

/** Only the GPU computes a loss of one's own. */
const hasReplay = (configuration: string): boolean =>
  !/^ +loss:/m.test(readFileSync(join(root, configuration), "utf8"));

test.each(configurations)("%s trains, and its steps replay", { timeout: 300_000 }, async (configuration) => {
  const directory = mkdtempSync(join(tmpdir(), "iapo-example-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const out = join(directory, "run");
  const said: string[] = [];
  const note = (line: string): void => void said.push(line);
  const io = { out: note, note, signal: new AbortController().signal, terminal: undefined };
  expect(await runCli(["train", join(root, configuration), "--out", out], io), said.join("\n")).toBe(0);
  const steps = new Set<number>();
  for await (const { step } of readRun(join(out, "steps"))) steps.add(step);
  expect(steps).toEqual(new Set([0, 1]));
  if (hasReplay(configuration)) expect(await runCli(["replay", out, "--trust"], io), said.join("\n")).toBe(0);
});

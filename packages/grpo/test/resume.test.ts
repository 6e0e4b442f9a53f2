// Stopping and resuming: the same weights, metrics and traces to the byte, wherever the run was stopped or killed.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fingerprint, nanoRun } from "./support/run.ts";

const STEPS = 6;
const KILLS = process.env.IAPO_FULL ? 30 : 3;

let device: Device;
let root: string;
let whole: Record<string, string>;
let seconds: number;
beforeAll(async () => {
  device = await openDevice();
  root = await mkdtemp(join(tmpdir(), "grpo-resume-"));
  const start = performance.now();
  await nanoRun(device, { directory: join(root, "whole"), steps: STEPS });
  seconds = (performance.now() - start) / 1000;
  whole = await fingerprint(join(root, "whole"));
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

test("a run leaves a file per step, its last checkpoints and the best one", async () => {
  const steps = Array.from({ length: STEPS }, (_, i) => `steps/step-00000${i}.jsonl`);
  expect(Object.keys(whole).filter((name) => name.startsWith("steps/"))).toEqual(steps);
  const checkpoints = new Set(Object.keys(whole).flatMap((name) => /checkpoints\/(step-\d+)\//.exec(name)?.[1] ?? []));
  expect(checkpoints.has("step-000006")).toBe(true);
  expect(checkpoints.size).toBeLessThanOrEqual(3);
  const read = [];
  for await (const step of readRun(join(root, "whole", "steps"))) read.push(step);
  expect(read.length).toBeGreaterThan(0);
});

test("stopped in the midst of a step and resumed: the same bytes", async () => {
  const directory = join(root, "stopped");
  const stop = new AbortController();
  const run = { directory, steps: STEPS, signal: stop.signal };
  const state = await nanoRun(device, {
    ...run,
    onMetrics: (step) => step === 2 && setTimeout(() => stop.abort(), 100),
  });
  expect(state.step).toBeGreaterThanOrEqual(3);
  expect(state.step).toBeLessThan(STEPS);
  const { signal: _, ...again } = run;
  await nanoRun(device, { ...again, resume: true });
  const resumed = await fingerprint(directory);
  // A stop leaves a checkpoint at its own step; those of the schedule are the same.
  for (const [name, hash] of Object.entries(resumed))
    if (whole[name]) expect([name, hash]).toEqual([name, whole[name]]);
  const needed = Object.keys(whole).filter((name) => !name.startsWith("checkpoints/step-000004"));
  expect(Object.keys(resumed)).toEqual(expect.arrayContaining(needed));
});

test(`killed ${KILLS} times at random moments and resumed: the same bytes`, { timeout: 1_800_000 }, async () => {
  let kills = 0;
  for (let chain = 0; kills < KILLS; chain++) {
    const directory = join(root, `killed-${chain}`);
    for (let left = 3; kills < KILLS && left > 0; left--) {
      const child = start(directory);
      const moment = 1000 * (0.5 + Math.random() * (seconds + 2));
      const timer = setTimeout(() => child.kill("SIGKILL"), moment);
      const { killed, errors } = await ended(child);
      clearTimeout(timer);
      if (!killed) {
        expect(errors).toBe("");
        break;
      }
      kills++;
    }
    const { killed, errors } = await ended(start(directory));
    expect([killed, errors]).toEqual([false, ""]);
    expect(await fingerprint(directory)).toEqual(whole);
    await rm(directory, { recursive: true });
  }
});

function start(directory: string): ChildProcess {
  const program = join(import.meta.dirname, "support/run.ts");
  return spawn(process.execPath, ["--conditions=@iapo/source", program, directory, String(STEPS)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** What the program wrote to stderr, but for the driver's warnings, if it failed. */
async function ended(child: ChildProcess): Promise<{ killed: boolean; errors: string }> {
  let errors = "";
  child.stderr!.on("data", (text) => {
    errors += String(text);
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) =>
      resolve({ killed: signal === "SIGKILL", errors: code === 0 || signal ? "" : errors }),
    );
  });
}

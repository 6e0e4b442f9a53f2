// Stopping and resuming: the same weights, metrics and traces to the byte, wherever the run was stopped or killed.
import type { ChildProcess } from "node:child_process";
import { watch } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replayStep } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ended, startRun } from "./support/process.ts";
import { fingerprint, nanoRun, replaying } from "./support/run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** Of the run, and kills; in the quick check fewer of both. */
const [STEPS, KILLS] = process.env.IAPO_FULL === "1" ? [6, 30] : [4, 3];

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

test("a run leaves a file per step, its last checkpoints and the best one; every step replays without a GPU", async () => {
  const numbered = (step: number): string => `step-${String(step).padStart(6, "0")}`;
  const published = Object.keys(whole).filter((name) => name.startsWith("steps/"));
  expect(published).toEqual(Array.from({ length: STEPS }, (_, step) => `steps/${numbered(step)}.jsonl`));
  const checkpoints = new Set(Object.keys(whole).flatMap((name) => /^checkpoints\/([^/]+)\//.exec(name)?.[1] ?? []));
  const state = JSON.parse(await readFile(join(root, `whole/checkpoints/${numbered(STEPS)}/state.json`), "utf8"));
  expect([...checkpoints]).toEqual(expect.arrayContaining([STEPS, state.best.step].map(numbered)));
  expect(checkpoints.size).toBe(state.best.step < STEPS - 2 ? 3 : 2);
  for (let step = 0; step < STEPS; step++) {
    const report = await replayStep(await readStep(join(root, `whole/steps/${numbered(step)}.jsonl`)), replaying);
    expect([report.difference, report.samples, report.updates]).toEqual([undefined, 6, 2]);
  }
});

test("stopped in the midst of a step and resumed: the same bytes", async () => {
  const directory = join(root, "stopped");
  const stop = new AbortController();
  const onMetrics = (step: number): void => {
    if (step === 1) setTimeout(() => stop.abort(), 100);
  };
  const state = await nanoRun(device, { directory, steps: STEPS, signal: stop.signal, onMetrics });
  expect(state.step).toBeGreaterThanOrEqual(2);
  expect(state.step).toBeLessThan(STEPS);
  await nanoRun(device, { directory, steps: STEPS, resume: true });
  const resumed = await fingerprint(directory);
  // The stop has left a checkpoint of its own, which may have displaced one of the schedule.
  const common = Object.keys(whole).filter((name) => name in resumed);
  expect(common.map((name) => resumed[name])).toEqual(common.map((name) => whole[name]));
  const last = Object.keys(whole).filter((name) => name.startsWith("steps/") || name.includes(`${STEPS}/`));
  expect(common).toEqual(expect.arrayContaining(last));
});

test("a run is not begun over another, nor resumed with other settings, nor from a damaged checkpoint", async () => {
  const directory = join(root, "damaged");
  await cp(join(root, "whole"), directory, { recursive: true });
  const again = (more: Parameters<typeof nanoRun>[1], kind = {}) => nanoRun(device, more, kind);
  await expect(again({ directory, steps: STEPS })).rejects.toThrow("holds a run already");
  await expect(again({ directory, steps: STEPS, resume: true }, { seed: 2 })).rejects.toThrow(
    "other settings: kind.seed (nothing in the run, 2 now)",
  );
  const checkpoint = join(directory, `checkpoints/step-${String(STEPS).padStart(6, "0")}`);
  const names = ["parameters.safetensors", "optimizer.safetensors", "state.json", "manifest.json"];
  for (const [i, name] of names.entries()) {
    const file = join(checkpoint, name);
    const bytes = await readFile(file);
    const at = Math.floor((bytes.length * (i + 1)) / 6);
    bytes[at]! ^= 1;
    await writeFile(file, bytes);
    await expect(again({ directory, steps: STEPS + 1, resume: true })).rejects.toThrow(`${checkpoint}/`);
    bytes[at]! ^= 1;
    await writeFile(file, bytes);
  }
  await rm(checkpoint, { recursive: true });
  await again({ directory, steps: STEPS, resume: true });
  expect(await fingerprint(directory)).toEqual(whole);
});

/** A random moment of the run. */
function sometime(child: ChildProcess): () => void {
  const timer = setTimeout(() => child.kill("SIGKILL"), 1000 * (0.5 + Math.random() * (seconds + 2)));
  return () => clearTimeout(timer);
}

/** A random moment of the first checkpoint that the process begins to write. */
function amidCheckpoint(child: ChildProcess, checkpoints: string): () => void {
  const watcher = watch(checkpoints, (_event, name) => {
    if (!name?.endsWith(".partial")) return;
    setTimeout(() => child.kill("SIGKILL"), Math.random() * 50);
    watcher.close();
  });
  return () => watcher.close();
}

const kills = `killed ${KILLS} times at random moments, a third of them amid a checkpoint, and resumed: the same bytes`;
test(kills, { timeout: 1_800_000 }, async () => {
  const done = { sometime: 0, amidCheckpoint: 0 };
  const wanted = { sometime: KILLS - Math.floor(KILLS / 3), amidCheckpoint: Math.floor(KILLS / 3) };
  for (let chain = 0; done.sometime < wanted.sometime || done.amidCheckpoint < wanted.amidCheckpoint; chain++) {
    const directory = join(root, `killed-${chain}`);
    const checkpoints = join(directory, "checkpoints");
    await mkdir(checkpoints, { recursive: true });
    for (let left = 10; left > 0; left--) {
      const kind = done.amidCheckpoint < wanted.amidCheckpoint && left % 2 === 0 ? "amidCheckpoint" : "sometime";
      if (done[kind] >= wanted[kind]) break;
      const child = startRun("run.ts", [directory, String(STEPS)]);
      const stop = kind === "sometime" ? sometime(child) : amidCheckpoint(child, checkpoints);
      const { killed, errors } = await ended(child);
      stop();
      expect(errors).toBe("");
      if (!killed) break;
      const amid = (await readdir(checkpoints)).some((name) => name.endsWith(".partial"));
      done[amid ? "amidCheckpoint" : "sometime"]++;
    }
    const { killed, errors } = await ended(startRun("run.ts", [directory, String(STEPS)]));
    expect([killed, errors]).toEqual([false, ""]);
    expect(await fingerprint(directory)).toEqual(whole);
    await rm(directory, { recursive: true });
  }
});

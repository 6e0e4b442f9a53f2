// Stopping and resuming: the same weights, metrics and traces to the byte, wherever the run was stopped or killed.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replayStep } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fingerprint, nanoRun, replaying } from "./support/run.ts";

const STEPS = process.env.IAPO_FULL ? 12 : 4;
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
  await expect(again({ directory, steps: STEPS })).rejects.toThrow("a run is here already");
  await expect(again({ directory, steps: STEPS, resume: true }, { seed: 2 })).rejects.toThrow("other settings");
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

test("a lost device stops the run with its reason; on another one it goes on to the same bytes", async () => {
  const directory = join(root, "lost");
  const doomed = await openDevice();
  const onMetrics = (step: number): void => {
    if (step === 2) doomed.gpu!.destroy();
  };
  await expect(nanoRun(doomed, { directory, steps: STEPS, onMetrics })).rejects.toThrow(/device was lost/);
  doomed.close();
  await nanoRun(device, { directory, steps: STEPS, resume: true });
  expect(await fingerprint(directory)).toEqual(whole);
});

/** A small file system of one's own needs no rights where user namespaces are allowed. */
const [unshare, ...privately] = ["unshare", "-rm"] as const;
const canMount = spawnSync(unshare, [...privately, "mount", "-t", "tmpfs", "tmpfs", tmpdir()]).status === 0;

test.skipIf(!canMount && !process.env.IAPO_FULL)(
  "a full disk stops the run with its reason and leaves what was there; with room it goes on",
  async () => {
    const [begun, disk, left] = ["begun", "disk", "left"].map((name) => join(root, name));
    await nanoRun(device, { directory: begun!, steps: 1 });
    await mkdir(disk!);
    // There is room for one checkpoint of 6.4 MB, not for two.
    const script = `mount -t tmpfs -o size=9m tmpfs "$1" && cp -r "$2" "$1/run" && shift 2 && left=$1 && shift && "$@"; code=$?
      cp -r "${disk}/run" "$left"; exit $code`;
    const limited = start(join(disk!, "run"), [unshare, ...privately, "sh", "-c", script, "sh", disk!, begun!, left!]);
    const { errors } = await ended(limited);
    expect(errors).toMatch(/GrpoError: .*step-000002 cannot be written: .*ENOSPC.*make room, then resume/);
    const before = await fingerprint(begun!);
    const after = await fingerprint(left!);
    for (const [name, hash] of Object.entries(before)) expect([name, after[name]]).toEqual([name, hash]);
    const checkpoints = (files: object): string[] =>
      Object.keys(files).filter((name) => name.startsWith("checkpoints/"));
    expect(checkpoints(after)).toEqual(checkpoints(before));
    await nanoRun(device, { directory: left!, steps: STEPS, resume: true });
    const resumed = await fingerprint(left!);
    // The first step was the last one of the run that begun it, and was evaluated as such.
    const steps = Object.keys(whole).filter((name) => name.startsWith("steps/") && !name.includes("step-000000"));
    expect(steps.map((name) => resumed[name])).toEqual(steps.map((name) => whole[name]));
  },
);

test(`killed ${KILLS} times at random moments and resumed: the same bytes`, { timeout: 1_800_000 }, async () => {
  let kills = 0;
  for (let chain = 0; kills < KILLS; chain++) {
    const directory = join(root, `killed-${chain}`);
    for (let left = 10; kills < KILLS && left > 0; left--) {
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

/** The run as a process, behind `launcher` if one is given. */
function start(directory: string, launcher: readonly string[] = []): ChildProcess {
  const program = join(import.meta.dirname, "support/run.ts");
  const own = [process.execPath, "--conditions=@iapo/source", program, directory, String(STEPS)];
  const [command, ...rest] = [...launcher, ...own];
  return spawn(command!, rest, { stdio: ["ignore", "ignore", "pipe"] });
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

// A run that is interrupted with steps that no checkpoint holds: they get one, and nobody waits for what the device is at.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { areFinite, keptTensors } from "../src/checkpoint/kept.ts";
import { type evaluatePolicy, Learner } from "../src/index.ts";
import { checkpointTensors } from "../src/run/state.ts";
import { nanoPolicy } from "./support/nano.ts";
import { fingerprint, nanoRun } from "./support/run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const rare = { checkpoint: { every: 100, keep: 2 }, evaluate: undefined };

let device: Device;
let root: string;
let whole: Record<string, string>;
beforeAll(async () => {
  device = await openDevice();
  root = await mkdtemp(join(tmpdir(), "grpo-interrupt-"));
  await nanoRun(device, { ...rare, directory: join(root, "whole"), steps: 2 });
  whole = await fingerprint(join(root, "whole"));
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

/** Counts readings of the device from now on. */
function readings() {
  return vi.spyOn(device, "readBytes").mockClear();
}

test("in an update: the steps before it are kept as they were, and the device is not asked", async () => {
  const directory = join(root, "in-update");
  const stop = new AbortController();
  const recordWhole = device.recordWhole.bind(device);
  let reads: ReturnType<typeof readings> | undefined;
  let passes = 0;
  const spy = vi.spyOn(device, "recordWhole").mockImplementation((fn) => {
    const made = recordWhole(fn);
    passes++;
    if (isThird) {
      stop.abort();
      reads = readings();
    }
    return made;
  });
  let isThird = false;
  const state = await nanoRun(device, {
    ...rare,
    directory,
    steps: 5,
    signal: stop.signal,
    onMetrics: (step) => {
      isThird = step === 1;
    },
  });
  spy.mockRestore();
  expect(passes).toBeGreaterThan(2);
  expect(reads).not.toHaveBeenCalled();
  reads?.mockRestore();
  expect(state.step).toBe(2);
  expect(await fingerprint(directory)).toEqual(whole);
});

test("between the optimizer steps of an update: the last whole step is kept", async () => {
  const directory = join(root, "amid-update");
  const stop = new AbortController();
  let steps = 0;
  const learningRate = (): number => {
    if (++steps === 6) stop.abort(); // two in each step: the second of the third step
    return 1e-3;
  };
  const state = await nanoRun(
    device,
    { ...rare, directory, steps: 5, signal: stop.signal },
    {},
    { learner: { learningRate } },
  );
  expect(state.step).toBe(2);
  expect(await fingerprint(directory)).toEqual(whole);
});

test("in an evaluation: the step that it follows is made again, those before it are kept", async () => {
  const directory = join(root, "in-evaluation");
  const stop = new AbortController();
  const evaluate = {
    every: 3,
    run: (): ReturnType<typeof evaluatePolicy> => {
      stop.abort();
      return Promise.reject(stop.signal.reason);
    },
  };
  const state = await nanoRun(device, { ...rare, evaluate, directory, steps: 5, signal: stop.signal });
  expect(state.step).toBe(2);
  const left = await fingerprint(directory);
  expect(Object.fromEntries(Object.entries(left).filter(([name]) => name in whole))).toEqual(whole);
  expect(await readdir(join(directory, "checkpoints"))).toEqual(["step-000002"]);
});

test("what is kept are the values of the moment, and whether they are finite is seen", async () => {
  const policy = await nanoPolicy(device);
  const learner = new Learner(policy, { learningRate: () => 1e-3 });
  const tensors = checkpointTensors(learner);
  const keeping = keptTensors(device, tensors);
  const [[name, master] = []] = tensors.parameters;
  if (name === undefined || !master) throw new Error("there are no parameters");
  const before = await master.values();
  const later = Float32Array.from(before);
  later[5] = Number.POSITIVE_INFINITY;
  master.write(later);
  const [kept, then] = await Promise.all([keeping, keptTensors(device, tensors)]);
  expect(kept?.parameters.get(name)).toEqual({ shape: master.shape, values: before });
  expect(kept?.optimizer.get("counter")?.values).toEqual(await learner.optimizer.counter.values());
  expect([kept, then].map((one) => one && areFinite(one))).toEqual([true, false]);
  learner.dispose();
  policy.model.dispose();
});

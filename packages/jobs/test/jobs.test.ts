// A program's way: a job is opened, checked, planned, run, stopped, resumed, replayed and exported; what stands against it is an error with a code.
import { readFileSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkJob, exportCheckpoint, type Job, openJob, planJob, replayRun, runJob } from "../src/index.ts";
import { sharedFolder, temporaryFolder } from "./support/folder.ts";

vi.setConfig({ testTimeout: 180_000 });

const small = [
  ...["model.directory=nano-base", "model.initialize=1", "grpo.steps=2", "grpo.groups=1", "grpo.evaluate="],
  ...["grpo.rollout.samples=2", "grpo.rollout.maxTokens=4", "grpo.checkpoint.every=1"],
];
const jobIn = (directory: string): Job => openJob("nano-grpo", { set: small, directory });

const folder = sharedFolder();
const whole = join(folder, "whole");
let device: Device;
beforeAll(async () => {
  device = await openDevice();
  const { done } = await runJob(jobIn(whole), { device });
  expect(done).toBe(true);
});
afterAll(() => device.close());

const weightsOf = (run: string): Buffer => readFileSync(join(run, "checkpoints/step-000002/parameters.safetensors"));

test("a run that is stopped returns, and resumes to the same bytes; what happens is heard", async () => {
  const directory = join(temporaryFolder(), "run");
  const stop = new AbortController();
  const heard: string[] = [];
  const stopped = await runJob(jobIn(directory), {
    device,
    signal: stop.signal,
    onBegin: (done) => heard.push(`begin ${done}`),
    onStep(index) {
      heard.push(`step ${index}`);
      stop.abort();
    },
  });
  expect(stopped).toMatchObject({ done: false, step: 1 });
  expect(heard).toEqual(["begin 0", "step 0"]);
  const [, ended] = readFileSync(join(directory, "starts.jsonl"), "utf8").split("\n");
  expect(JSON.parse(ended ?? "")).toMatchObject({ ended: "interrupted", step: 1 });
  await expect(runJob(jobIn(directory), { device })).rejects.toMatchObject({ code: "run_exists" });
  const resumed = await runJob(jobIn(directory), { device, resume: true });
  expect(resumed).toMatchObject({ done: true, step: 2 });
  expect(weightsOf(directory).equals(weightsOf(whole))).toBe(true);
});

test("a signal that aborts before the first step is the error", async () => {
  const directory = join(temporaryFolder(), "run");
  const reason = new Error("enough");
  await expect(runJob(jobIn(directory), { device, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(readdir(directory)).rejects.toMatchObject({ code: "ENOENT" }); // nothing is left
});

test("a run is replayed without a GPU", async () => {
  const found = await replayRun(whole);
  expect(found).toMatchObject({ steps: 2, samples: 4, largestDifference: 0, verified: 0 });
  await expect(replayRun(whole, { step: 7 })).rejects.toMatchObject({ code: "missing" });
});

test("a checkpoint becomes a model, once", async () => {
  const out = join(temporaryFolder(), "model");
  const made = await exportCheckpoint(whole, out, { device, which: 1 });
  expect(made).toMatchObject({ checkpoint: join(whole, "checkpoints/step-000001"), dtype: "f32" });
  expect(made.rows).toBeGreaterThan(0);
  await expect(exportCheckpoint(whole, out, { device })).rejects.toMatchObject({ code: "exists" });
  await expect(exportCheckpoint(whole, `${out}-2`, { device, which: "best" })).rejects.toMatchObject({
    code: "missing",
  });
});

test("a check writes nothing and says what would run; a plan says what it takes", async () => {
  const directory = join(temporaryFolder(), "run");
  const job = jobIn(directory);
  const { model, tasks, firstTask } = await checkJob(job);
  expect(model.weights).toBeGreaterThan(100_000);
  expect(tasks).toBeGreaterThan(0);
  expect(firstTask.promptTokens).toBeGreaterThan(10);
  const { peakBytes, phases, probe } = await planJob(job, { device, memory: 2 ** 40 });
  expect(phases.map(({ name }) => name)).toEqual(["rollout", "reward", "update"]);
  expect(peakBytes).toBeGreaterThan(4 * model.weights);
  expect(probe).toBeNull();
  await expect(readdir(directory)).rejects.toMatchObject({ code: "ENOENT" });
});

test("modules that a run's directory names are loaded where they are trusted", async () => {
  const at = temporaryFolder();
  const module = join(at, "reward.mjs");
  writeFileSync(module, "export default () => 0.5;\n");
  const set = [...small, `grpo.functions.reward=${module}`, "grpo.steps=1"];
  const directory = join(at, "run");
  expect((await runJob(openJob("nano-grpo", { set, directory }), { device })).done).toBe(true);
  await expect(runJob(openJob(directory), { device, resume: true })).rejects.toMatchObject({ code: "untrusted" });
  await expect(checkJob(openJob(directory))).rejects.toMatchObject({ code: "untrusted" });
  await expect(replayRun(directory)).rejects.toMatchObject({ code: "untrusted" });
  expect((await runJob(openJob(directory, { trust: true }), { device, resume: true })).done).toBe(true);
  expect((await replayRun(directory, { trust: true })).largestDifference).toBe(0);
});

test("a penalty of one's own is tried, taken off the outcome, and replayed", async () => {
  const at = temporaryFolder();
  const module = join(at, "penalty.mjs");
  writeFileSync(
    module,
    "export default (groups) => groups.map((traces) => traces.map(({ sample }) => ({ penalty: sample / 8 })));\n",
  );
  const set = [...small, `grpo.functions.penalty=${module}`, "grpo.steps=1"];
  const directory = join(at, "run");
  await checkJob(openJob("nano-grpo", { set, directory }));
  expect((await runJob(openJob("nano-grpo", { set, directory }), { device })).done).toBe(true);
  const { log, traces } = await readStep(join(directory, "steps", "step-000000.jsonl"));
  expect(log.samples.map(({ penalty }) => penalty)).toEqual(log.samples.map(({ sample }) => sample / 8));
  const [{ shapedReward }, trace] = [log.samples[1] ?? expect.fail(), traces[1]];
  expect(shapedReward).toBeCloseTo((trace?.rewards.outcome ?? Number.NaN) - 1 / 8, 12);
  expect((await replayRun(directory, { trust: true })).largestDifference).toBe(0);
});

test("a kind that the configuration lacks is refused when the job is opened", () => {
  expect(() => openJob("nano-grpo", { kind: "sft" })).toThrow(expect.objectContaining({ code: "config" }));
  expect(openJob("nano-sft").kind).toBe("sft");
  expect(openJob("nano-sft").steps).toBeGreaterThan(0);
});

// A plan is made by the step's own code on a device that counts: it must say what the step then takes.

import { type Device, openDevice, planningDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { type OneStep, oneStep } from "../src/plan/one-step.ts";

vi.setConfig({ testTimeout: 180_000 });

const nano = ["model.directory=nano-base", "model.initialize=1", "teacher.directory=nano-base", "teacher.initialize=2"];
const small = ["grpo.groups=2", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="];

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

async function onPaper(...args: [config: Parameters<typeof oneStep>[1], kind: "train" | "sft"]): Promise<OneStep> {
  using planning = planningDevice(device.facts);
  return await oneStep(planning, ...args);
}

test("a supervised step takes the bytes and operations that were planned", async () => {
  const { config } = loadConfig("nano-sft", ["supervised.batchSize=4"]);
  const planned = await onPaper(config, "sft");
  const made = await oneStep(device, config, "sft");
  const numbers = ({ phases }: OneStep) => phases.map(({ name, peakBytes, flops }) => ({ name, peakBytes, flops }));
  expect(planned.bytesByPart).toEqual(made.bytesByPart);
  expect(numbers(planned)).toEqual(numbers(made));
});

test("a step of IAPO takes no more than was planned, part by part", async () => {
  const { config } = loadConfig("nano-iapo-occlusion", [...nano, ...small]);
  const planned = await onPaper(config, "train");
  const made = await oneStep(device, config, "train");
  expect(planned.bytesByPart).toEqual(made.bytesByPart);
  expect(planned.phases.map(({ name }) => name)).toEqual(["rollout", "reward", "penalty", "update"]);
  for (const [i, { name, peakBytes, flops }] of made.phases.entries()) {
    expect(planned.phases[i]).toMatchObject({ name });
    expect(planned.phases[i]!.peakBytes).toBeGreaterThanOrEqual(peakBytes);
    expect(planned.phases[i]!.flops).toBeGreaterThanOrEqual(flops);
  }
});

test("what an own penalty asks a teacher is planned as one pass over the calls", async () => {
  const { config: loaded } = loadConfig("nano-opd", [...nano, ...small]);
  const functions = { penalty: "/own/penalty.mjs" }; // a plan does not load it
  const config = { ...loaded, distillation: undefined, grpo: { ...loaded.grpo, functions } };
  const asked = await onPaper(config, "train");
  const unasked = await onPaper({ ...config, teacher: undefined }, "train");
  const bytesOf = ({ bytesByPart }: OneStep) => Object.values(bytesByPart).reduce((sum, bytes) => sum + bytes, 0);
  expect(bytesOf(asked)).toBeGreaterThan(bytesOf(unasked)); // a second model
  const flopsOf = ({ phases }: OneStep) => phases.find(({ name }) => name === "penalty")?.flops ?? 0;
  expect(flopsOf(asked)).toBeGreaterThan(0);
  expect(flopsOf(unasked)).toBe(0);
});

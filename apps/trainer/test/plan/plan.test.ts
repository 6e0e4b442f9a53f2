// A plan is made by the step's own code on a device that counts: it must say what the step then takes.

import { loadConfig, type OneStep, oneStep } from "@iapo/jobs";
import { type Device, openDevice, planningDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { expectRefusal, iapo } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

const nano = ["model.directory=nano-base", "model.initialize=1", "teacher.directory=nano-base", "teacher.initialize=2"];
const small = ["grpo.groups=2", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="];

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

async function onPaper(...args: [config: Parameters<typeof oneStep>[1], command: "train" | "sft"]): Promise<OneStep> {
  using planning = planningDevice(device.facts);
  return await oneStep(planning, ...args, 0);
}

test("a supervised step takes the bytes and operations that were planned", async () => {
  const { config } = loadConfig("nano-sft", ["supervised.batchSize=4"]);
  const planned = await onPaper(config, "sft");
  const made = await oneStep(device, config, "sft", 0);
  const numbers = ({ phases }: OneStep) => phases.map(({ name, peakBytes, flops }) => ({ name, peakBytes, flops }));
  expect(planned.bytesByPart).toEqual(made.bytesByPart);
  expect(numbers(planned)).toEqual(numbers(made));
});

test("a step of IAPO takes no more than was planned, part by part", async () => {
  const { config } = loadConfig("nano-iapo-occlusion", [...nano, ...small]);
  const planned = await onPaper(config, "train");
  const made = await oneStep(device, config, "train", 0);
  expect(planned.bytesByPart).toEqual(made.bytesByPart);
  expect(planned.phases.map(({ name }) => name)).toEqual(["rollout", "reward", "penalty", "update"]);
  for (const [i, { name, peakBytes, flops }] of made.phases.entries()) {
    expect(planned.phases[i]).toMatchObject({ name });
    expect(planned.phases[i]!.peakBytes).toBeGreaterThanOrEqual(peakBytes);
    expect(planned.phases[i]!.flops).toBeGreaterThanOrEqual(flops);
  }
});

test("iapo plan: bytes by part, the time of a step, and what to change where it does not fit", async () => {
  const args = ["plan", "nano-grpo", ...[...nano, ...small].flatMap((one) => ["--set", one])];
  const made = JSON.parse((await iapo([...args, "--json"])).out);
  expect(made).toMatchObject({ fits: true, changes: [], probe: { groups: 2 } });
  expect(made.peakBytes).toBe(Math.max(...made.phases.map(({ peakBytes }: { peakBytes: number }) => peakBytes)));
  const times = made.probe.phases.map(({ seconds }: { seconds: number }) => seconds);
  expect(made.probe.secondsPerStep).toBeCloseTo(
    times.reduce((a: number, b: number) => a + b, 0),
    9,
  );

  const room = (0.8 * made.peakBytes) / 2 ** 30;
  const { code, out } = await iapo([...args, "--no-probe", "--memory", String(room)]);
  expect(code).toBe(0);
  expect(out).toMatch(/update .*\n[\s\S]*at most .*\ndoes not fit into .*\n[\s\S]* fits .* --set model.recompute=true/);
});

test("what is no amount of memory is refused", async () => {
  await expectRefusal(["plan", "nano-grpo", "--memory", "much"], 2, /It must be a number above 0/);
});

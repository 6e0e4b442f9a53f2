// The plan: peak bytes and operations predicted without weights, against a real run.
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs } from "../src/config.ts";
import { QwenVLModel } from "../src/model/model.ts";
import { initializeWeights } from "../src/weights/initialize.ts";
import { planModel, runWorkload, type Workload } from "./support/plan.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const base = {
  promptTokens: 40,
  images: [[1, 4, 6]],
  responses: 4,
  responseTokens: 12,
} as const satisfies Partial<Workload>;
const workloads: Workload[] = [
  { ...base, dtype: "f32", train: "full" },
  { ...base, dtype: "bf16", train: "full", checkpoint: true },
  { ...base, dtype: "bf16", train: { rank: 4, alpha: 8, targets: ["q_proj", "v_proj"] } },
];

test.each(workloads)("predicted and measured peak of nano: $dtype, $train", async (workload) => {
  const config = knownConfigs.nano;
  const predicted = await planModel(config, workload, device.facts);
  const trainable = workload.train === "full" ? () => true : () => false;
  const model = new QwenVLModel(
    config,
    initializeWeights(device, config, [1, 1], { dtype: workload.dtype, trainable }),
  );
  const measured = await runWorkload(model, workload);
  expect(predicted.phases.map((phase) => phase.flops)).toEqual(measured.phases.map((phase) => phase.flops));
  predicted.phases.forEach((phase, i) => {
    expect(Math.abs(phase.peakBytes / measured.phases[i]!.peakBytes - 1), phase.name).toBeLessThan(0.03);
  });
  expect(predicted.bytesByPart).toEqual(measured.bytesByPart);
  model.dispose();
});

test("72B is planned in no time and no memory", async () => {
  const config = knownConfigs["72B"];
  const workload: Workload = {
    dtype: "bf16",
    promptTokens: 100,
    images: [[1, 20, 20]],
    responses: 2,
    responseTokens: 2,
  };
  const plan = await planModel(config, workload, device.facts);
  expect(plan.bytesByPart.weights).toBeGreaterThan(146e9);
  expect(plan.bytesByPart.weights).toBeLessThan(1.02 * 147e9);
  expect(plan.phases.find((phase) => phase.name === "generate")!.flops).toBeGreaterThan(2 * 72e9 * 100);
});

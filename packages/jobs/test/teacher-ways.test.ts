// The bytes of each way a teacher can take part, against the steps themselves at nano size.
import { openDevice } from "@iapo/tensor-core";
import { expect, test, vi } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { type OneStep, oneStep } from "../src/plan/one-step.ts";
import { planTeacherWays } from "../src/plan/teacher-ways.ts";

vi.setConfig({ testTimeout: 180_000 });

const small = ["grpo.groups=1", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="];

test("nano: what is planned bounds what a step takes, resident and in turns", async () => {
  const nano = [
    ...["model.directory=nano-base", "model.initialize=1", "model.lora.rank=2", "model.lora.alpha=4"],
    ...["teacher.directory=nano-base", "teacher.initialize=2", "iapo.noCallPenalty=turn1_attribution"],
  ];
  const { config } = loadConfig("nano-iapo-occlusion", [...nano, ...small]);
  using device = await openDevice();
  const [resident, turns, cached] = (await planTeacherWays(config, device.facts))!;
  const stepOf = async (residence: "resident" | "turns"): Promise<OneStep> =>
    oneStep(device, { ...config, teacher: { ...config.teacher!, residence } }, "train");
  const peakOf = ({ phases }: OneStep, of: readonly string[] = phases.map(({ name }) => name)): number =>
    Math.max(...phases.flatMap(({ name, peakBytes }) => (of.includes(name) ? [peakBytes] : [])));
  const [together, apart] = [await stepOf("resident"), await stepOf("turns")];
  expect(resident!.peakBytes).toBeGreaterThanOrEqual(peakOf(together));
  expect(turns!.peakBytes).toBeGreaterThanOrEqual(peakOf(apart));
  expect(turns!.peakBytes).toBeLessThan(resident!.peakBytes);
  expect(cached!.peakBytes).toBeLessThanOrEqual(turns!.peakBytes);
  // The student's frozen weights are as large as the teacher's: in turns a set of them is gone.
  const weights = apart.bytesByPart.weights!;
  expect(together.bytesByPart.weights).toBe(2 * weights);
  const saved = peakOf(together, ["penalty"]) - peakOf(apart, ["penalty", "load teacher", "teacher", "load student"]);
  expect(saved).toBeGreaterThan(0.99 * weights);
});

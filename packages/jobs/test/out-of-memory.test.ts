// Memory that runs out anywhere in a step: an error that says where and what to set, or another try to the same result; no byte stays either way.
import { planningDevice, typicalCard } from "@iapo/tensor-core";
import { withFailingAllocations } from "@iapo/tensor-core/testing";
import { expect, test, vi } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { oneStep } from "../src/plan/one-step.ts";

vi.setConfig({ testTimeout: 180_000 });

const nano = ["model.directory=nano-base", "model.initialize=1", "teacher.directory=nano-base", "teacher.initialize=2"];
const small = ["grpo.groups=2", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="];
const adapter = ["model.lora.rank=2", "model.lora.alpha=4", "grpo.loss.kl.where=loss", "grpo.loss.kl.coefficient=0.01"];
const turns = ["teacher.residence=turns", "iapo.method=grad_x_input", "iapo.teacherTarget=student_call"];

const tries = process.env.IAPO_FULL === "1" ? 40 : 6;

/** The step on a device that counts, while `count` allocations from number `from` on fail; the parts that a last error named. */
async function step(settings: readonly string[], from: number, count?: number) {
  const { config } = loadConfig("nano-iapo-occlusion", [...nano, ...small, ...settings]);
  using device = planningDevice(typicalCard);
  device.warn = () => {};
  let message = "";
  const made = await withFailingAllocations(device, { from, ...(count && { count }) }, async () => {
    await oneStep(device, config, "train").catch((error: Error) => {
      message = error.message;
      throw error;
    });
  });
  return { ...made, message };
}

/** Numbers spread over the allocations behind the first `least`. */
const spread = (least: number, most: number): number[] =>
  Array.from({ length: tries }, (_, i) => least + Math.floor(((i + 0.5) * (most - least)) / tries));

test.each([
  ["all weights in training, a teacher of its own calls", []],
  ["an adapter, a reference, gradients, a teacher in turns", [...adapter, ...turns]],
])("%s: from any allocation on, none: the part is named, nothing stays", async (_, settings) => {
  const { allocations, failed } = await step(settings, Number.POSITIVE_INFINITY);
  expect([failed, allocations > 1000]).toEqual([false, true]);
  const messages: string[] = [];
  for (const from of spread(1, allocations)) {
    const made = await step(settings, from);
    expect(made.failed, `allocation ${from}`).toBe(true);
    messages.push(made.message);
  }
  const named = messages.flatMap(
    (text) => /^(?:rollout|penalty|score|update): .* was made to fail.* takes less here/.exec(text) ?? [],
  );
  expect(named.length).toBeGreaterThan(tries / 2);
});

test("once the models stand ready, an allocation that fails once is no error", async () => {
  const { allocations } = await step([], Number.POSITIVE_INFINITY);
  for (const from of spread(400, allocations)) expect((await step([], from, 1)).message, `allocation ${from}`).toBe("");
});

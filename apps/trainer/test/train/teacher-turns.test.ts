// A teacher that takes turns with the student: the numbers of a resident one, its bytes only while it scores, and errors that leave nothing.
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { RecipeStep } from "@iapo/grpo";
import { type Device, openDevice } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { openPolicy } from "../../src/compose/model.ts";
import { openTasks } from "../../src/compose/tasks.ts";
import { loadConfig } from "../../src/config/load.ts";
import { grpoJob } from "../../src/train/job.ts";
import { sharedFolder, temporaryFolder } from "../support/iapo.ts";
import { nanoModels } from "../support/nano-model.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const folder = sharedFolder();
const [student, teacher] = [join(folder, "student"), join(folder, "teacher")];
beforeAll(() => nanoModels([student, teacher], { maxShardBytes: 300_000 }));

interface Opened extends AsyncDisposable {
  readonly device: Device;
  readonly phases: string[];
  step(step: number): Promise<RecipeStep>;
}

async function open(
  residence: string,
  more: readonly string[],
  onPhase: (phase: string) => void = () => {},
  signal?: AbortSignal,
): Promise<Opened> {
  const { config } = loadConfig("nano-iapo-occlusion", [
    ...[`model.directory=${student}`, `teacher.directory=${teacher}`, `teacher.residence=${residence}`],
    ...["grpo.groups=2", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="],
    ...["iapo.noCallPenalty=turn1_attribution", ...more],
  ]);
  const device = await openDevice();
  const policy = await openPolicy(device, config.model, { seed: config.grpo.seed });
  const phases: string[] = [];
  const { recipe } = await grpoJob(config).build({
    ...{ device, policy, directory: temporaryFolder(), parity: true },
    tasks: await openTasks(config.data),
    environment: createEnvironment({ options: config.environment }),
    signal: signal ?? new AbortController().signal,
    onPhase(phase) {
      phases.push(phase);
      onPhase(phase);
    },
    onWarning: () => {},
  });
  return {
    device,
    phases,
    async step(step) {
      const made = await recipe.step({ step, cursor: 2 * step });
      await device.idle();
      return made;
    },
    async [Symbol.asyncDispose]() {
      await recipe[Symbol.asyncDispose]();
      policy.model.dispose();
      expect(device.memory().liveBytes).toBe(0);
      device.close();
    },
  };
}

const whole = ({ timings: _, ...step }: RecipeStep): unknown => step;

const kinds = [
  { name: "all weights in training", settings: [] },
  {
    name: "an adapter in training, and a KL term against the base model",
    settings: ["model.lora.rank=2", "model.lora.alpha=4", "grpo.loss.kl.where=loss", "grpo.loss.kl.coefficient=0.01"],
  },
];

describe.each(kinds)("$name", ({ settings }) => {
  test("two steps have the bits of a resident teacher's, and the device is as before after each", async () => {
    const expected: unknown[] = [];
    {
      await using resident = await open("resident", settings);
      for (const step of [0, 1]) expected.push(whole(await resident.step(step)));
      expect(resident.phases).not.toContain("load teacher");
    }
    await using turns = await open("turns", settings);
    const { byTag } = turns.device.memory();
    for (const step of [0, 1]) {
      turns.phases.length = 0;
      const made = await turns.step(step);
      expect(whole(made)).toEqual(expected[step]);
      expect(made.log.samples.every(({ penalty, evidence }) => penalty > 0 && evidence?.teacher_scores)).toBe(true);
      expect(turns.phases).toEqual(["load teacher", "teacher", "load student", "penalty"]);
      expect(turns.device.memory().byTag).toEqual(byTag);
    }
  });
});

test("a shard that is gone by the second step is named, nothing of the teacher stays, and the step can be made once it is back", async () => {
  const { settings } = kinds[1]!;
  await using opened = await open("turns", settings);
  const { byTag } = opened.device.memory();
  await opened.step(0);
  const shard = (await readdir(teacher)).filter((name) => name.endsWith(".safetensors"))[1]!;
  const aside = join(folder, "aside");
  await rename(join(teacher, shard), aside);
  await expect(opened.step(1)).rejects.toThrow(shard);
  expect(opened.device.memory().byTag).toEqual(byTag);
  await expect(open("turns", settings)).rejects.toThrow(shard); // not only when it is needed
  await rename(aside, join(teacher, shard));
  const made = await opened.step(1);
  await using resident = await open("resident", settings);
  await resident.step(0);
  expect(whole(made)).toEqual(whole(await resident.step(1)));
});

test("an interrupt is heard while the teacher loads, and leaves none of its weights", async () => {
  const controller = new AbortController();
  const reason = new Error("interrupted by the test");
  const abort = (phase: string): void => {
    if (phase === "load teacher") controller.abort(reason);
  };
  await using opened = await open("turns", [], abort, controller.signal);
  const { byTag } = opened.device.memory();
  await expect(opened.step(0)).rejects.toBe(reason);
  expect(opened.device.memory().byTag).toEqual(byTag);
});

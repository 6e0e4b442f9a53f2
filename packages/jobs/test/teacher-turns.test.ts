// A teacher that takes turns with the student: the numbers of a resident one, its bytes only while it scores, and errors that leave nothing.
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { RecipeStep } from "@iapo/grpo";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { type Device, openDevice, TensorError } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { openTasks } from "@iapo/vqa-tasks/sources";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { grpoSpec } from "../src/job/grpo.ts";
import { sharedFolder, temporaryFolder } from "./support/folder.ts";
import { nanoModels } from "./support/nano-model.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const folder = sharedFolder();
const [student, teacher] = [join(folder, "student"), join(folder, "teacher")];
let device: Device;
beforeAll(async () => {
  await nanoModels([student, teacher], { maxShardBytes: 300_000 });
  device = await openDevice();
});
afterAll(() => device.close());

const adapter = ["model.lora.rank=2", "model.lora.alpha=4", "grpo.loss.kl.where=loss", "grpo.loss.kl.coefficient=0.01"];

interface Run extends AsyncDisposable {
  /** What was told of phases. */
  readonly told: string[];
  /** A step's result without its times. */
  step(step: number): Promise<Omit<RecipeStep, "timings">>;
}

async function begin(
  residence: string,
  more: readonly string[],
  { signal, onPhase }: { readonly signal?: AbortSignal; readonly onPhase?: (phase: string) => void } = {},
): Promise<Run> {
  const { config } = loadConfig("nano-iapo-occlusion", [
    ...[`model.directory=${student}`, `teacher.directory=${teacher}`, `teacher.residence=${residence}`],
    ...["grpo.groups=2", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="],
    ...["iapo.noCallPenalty=turn1_attribution", ...more],
  ]);
  const policy = await QwenVLPolicy.load(device, config.model, { seed: config.grpo.seed });
  const told: string[] = [];
  const { recipe } = await grpoSpec(config).build({
    ...{ device, policy, directory: temporaryFolder(), parity: true, signal: signal ?? new AbortController().signal },
    tasks: await openTasks(config.data),
    environment: createEnvironment({ options: config.environment }),
    onPhase(phase) {
      told.push(phase);
      onPhase?.(phase);
    },
    onWarning: () => {},
  });
  return {
    told,
    async step(step) {
      const { timings: _, ...made } = await recipe.step({ step, cursor: 2 * step });
      await device.idle();
      return made;
    },
    async [Symbol.asyncDispose]() {
      await recipe[Symbol.asyncDispose]();
      policy.model.dispose();
      expect(device.memory().liveBytes).toBe(0);
    },
  };
}

async function twoSteps(more: readonly string[]): Promise<Awaited<ReturnType<Run["step"]>>[]> {
  await using run = await begin("resident", more);
  const made = [await run.step(0), await run.step(1)];
  expect(run.told).not.toContain("load teacher");
  return made;
}

test("an adapter in training, a KL term: the bits of a resident teacher's steps, the device as before; a lost shard", async () => {
  const expected = await twoSteps(adapter);
  await using run = await begin("turns", adapter);
  const { byTag } = device.memory();
  const first = await run.step(0);
  expect(first).toEqual(expected[0]);
  expect(first.log.samples.every(({ penalty, evidence }) => penalty > 0 && evidence?.teacher_scores)).toBe(true);
  expect(run.told).toEqual(["load teacher", "teacher", "load student", "penalty"]);
  expect(device.memory().byTag).toEqual(byTag);

  const shard = (await readdir(teacher)).filter((name) => name.endsWith(".safetensors"))[1]!;
  const aside = join(folder, "aside");
  await rename(join(teacher, shard), aside);
  await expect(run.step(1)).rejects.toThrow(shard);
  expect(device.memory().byTag).toEqual(byTag);
  await expect(QwenVLPolicy.load(device, { directory: teacher }, { residence: "turns" })).rejects.toThrow(shard); // a run does not begin so

  await rename(aside, join(teacher, shard));
  expect(await run.step(1)).toEqual(expected[1]);
  expect(device.memory().byTag).toEqual(byTag);
});

test.skipIf(process.env.IAPO_FULL !== "1")(
  "all weights in training: the bits of a resident teacher's steps",
  async () => {
    const expected = await twoSteps([]);
    await using run = await begin("turns", []);
    const { byTag } = device.memory();
    for (const step of [0, 1]) {
      expect(await run.step(step)).toEqual(expected[step]);
      expect(device.memory().byTag).toEqual(byTag);
    }
  },
);

test("an interrupt is heard while the teacher loads, and leaves none of its weights", async () => {
  const interrupt = new AbortController();
  const reason = new Error("interrupted by the test");
  const onPhase = (phase: string): void => {
    if (phase === "load teacher") interrupt.abort(reason);
  };
  await using run = await begin("turns", [], { signal: interrupt.signal, onPhase });
  const { byTag } = device.memory();
  await expect(run.step(0)).rejects.toBe(reason);
  expect(device.memory().byTag).toEqual(byTag);
});

test("memory that runs out while the teacher loads: once, it is loaded again, to the same bits; twice, the part and what takes less are told", async () => {
  const [expected] = await twoSteps([]);
  let failures = 1;
  const phase: { now?: string } = {};
  const onPhase = (name: string): void => {
    phase.now = name;
  };
  await using run = await begin("turns", [], { onPhase });
  const { byTag } = device.memory();
  const take = device.pool.take.bind(device.pool);
  const spy = vi.spyOn(device.pool, "take").mockImplementation((...args) => {
    if (phase.now === "load teacher" && failures-- > 0) throw new TensorError("out_of_memory", "full");
    return take(...args);
  });
  expect(await run.step(0)).toEqual(expected);
  expect(failures).toBeLessThan(0);
  failures = 1000;
  await expect(run.step(1)).rejects.toThrow(
    /^load teacher: full What takes less here: teacher\.dtype: bf16.*; iapo plan shows how much\.$/,
  );
  expect(device.memory().byTag).toEqual(byTag);
  spy.mockRestore();
});

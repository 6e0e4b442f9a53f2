// The teacher's own calls: written once per prompt, kept on disk, verified when read.
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type IapoSettings, iapoSettingsSchema } from "../src/config.ts";
import { CallCache, IapoError, type Teacher, TeacherCalls } from "../src/index.ts";
import { chartPrompt, chartTasks, type Nano, nanoModel, teacherOf } from "./support/models.ts";

let device: Device;
let nano: Nano;
let prompts: ReturnType<typeof chartPrompt>[];
let directory: string;
let warnings: string[];
beforeAll(async () => {
  device = await openDevice();
  nano = await nanoModel(device, { seed: 2 });
  prompts = await Promise.all([0, 1].map(async (i) => chartPrompt(await chartTasks.task(i))));
});
afterAll(() => {
  nano.policy.model.dispose();
  device.close();
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "iapo-calls-"));
  warnings = [];
});
afterEach(() => rm(directory, { recursive: true }));

const occlusion: IapoSettings = iapoSettingsSchema.parse({ preset: "occlusion", teacherTarget: "teacher_call" });

function callsOf(settings: IapoSettings = occlusion, id = "weights 1", seed = 1): TeacherCalls {
  const cache = new CallCache(directory, (message) => warnings.push(message));
  return new TeacherCalls(teacherOf(nano, id), { settings, seed, maxTokens: 6 }, cache);
}

test("are written once: a second run reads the same numbers, and the model is not asked", async () => {
  const open = vi.spyOn(nano.policy, "open");
  const written = await callsOf().to([prompts[0]!, prompts[1]!, prompts[0]!]);
  expect(written[2]).toBe(written[0]);
  expect(written[0]!.names).toHaveLength(9);
  expect(written[0]!.scores).not.toEqual(written[1]!.scores);
  // Random weights write no program.
  expect(written.map(({ isCall }) => isCall)).toEqual([false, false, false]);
  expect(await callsOf().to(prompts)).toEqual(written.slice(0, 2));
  expect(open).toHaveBeenCalledTimes(1);
  open.mockRestore();
  expect(await readdir(directory)).toHaveLength(2);
  expect(warnings).toEqual([]);
});

test("a teacher that takes turns is brought once for all missing calls, and for none", async () => {
  let turns = 0;
  const teacher: Teacher = {
    ...teacherOf(nano, "weights 1"),
    use: (work) => {
      turns++;
      return work();
    },
  };
  const cache = new CallCache(directory, (message) => warnings.push(message));
  const calls = new TeacherCalls(teacher, { settings: occlusion, seed: 1, maxTokens: 6 }, cache);
  const written = await calls.to(prompts);
  expect(turns).toBe(1);
  expect(await calls.to(prompts)).toEqual(written);
  expect(turns).toBe(1);
});

test("everything that decides a call decides its key; a seed only where it is read", async () => {
  const files = async (): Promise<number> => (await readdir(directory)).length;
  const [prompt] = prompts;
  await callsOf().to([prompt!]);
  await callsOf(occlusion, "weights 1", 2).to([prompt!]);
  expect(await files()).toBe(1);
  await callsOf(occlusion, "weights 2").to([prompt!]);
  expect(await files()).toBe(2);
  const others: object[] = [
    { baseline: "mean" },
    { partition: "by_type" },
    { target: "turn1" },
    { method: "grad_norm" },
  ];
  for (const other of others) {
    const settings = { preset: "occlusion", teacherTarget: "teacher_call", ...other };
    await callsOf(iapoSettingsSchema.parse(settings)).to([prompt!]);
  }
  expect(await files()).toBe(6);
  const sampled = { ...occlusion, teacherTemperature: 1 };
  await callsOf(sampled).to([prompt!]);
  await callsOf(sampled, "weights 1", 2).to([prompt!]);
  expect(await files()).toBe(8);
  // What is done with the scores makes no difference.
  await callsOf({ ...occlusion, divergence: "js", normalize: "relu", lambda: 0.2 }).to([prompt!]);
  expect(await files()).toBe(8);
});

test("a damaged file is named, whichever byte is wrong, and made again", async () => {
  const [written] = await callsOf().to([prompts[0]!]);
  const [name] = await readdir(directory);
  const file = join(directory, name!);
  const key = name!.replace(".json", "");
  const whole = await readFile(file);
  const flipped = Array.from({ length: whole.length }, (_, at) => {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1;
    return bytes;
  });
  const signed = (line: string): Buffer => Buffer.from(`${line}\n${createHash("sha256").update(line).digest("hex")}\n`);
  const line = whole.toString().split("\n")[0]!;
  const damages = [
    ...flipped,
    whole.subarray(0, whole.length / 2),
    Buffer.alloc(0),
    signed(line.replace('"version":1', '"version":2')),
    signed(line.replace('"scores":[', '"scores":[1,')),
    signed(line.replace(key, "0".repeat(64))),
    signed("null"),
    Buffer.alloc(5 * 2 ** 20, 32),
  ];
  for (const [i, bytes] of damages.entries()) {
    await writeFile(file, bytes);
    expect(await new CallCache(directory, (message) => warnings.push(message)).get(key)).toBeUndefined();
    expect(warnings).toHaveLength(i + 1);
    expect(warnings[i]).toContain(file);
  }
  expect(await callsOf().to([prompts[0]!])).toEqual([written]);
  expect(await readFile(file)).toEqual(whole);
});

test("a directory that cannot be made, and a teacher that cannot write, are errors", async () => {
  const blocked = join(directory, "file");
  await writeFile(blocked, "");
  const cache = new CallCache(join(blocked, "calls"), () => undefined);
  const calls = new TeacherCalls(teacherOf(nano, "x"), { settings: occlusion, seed: 1, maxTokens: 4 }, cache);
  await expect(calls.to([prompts[0]!])).rejects.toThrow(IapoError);
  const mute: Teacher = { model: nano.model };
  expect(() => new TeacherCalls(mute, { settings: occlusion, seed: 1, maxTokens: 4 }, cache)).toThrow("needs a writer");
});

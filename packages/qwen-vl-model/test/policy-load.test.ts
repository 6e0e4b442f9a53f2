// The one way to a policy: a directory and what of it is trained; its weights can leave the device and come back.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, openDevice, planningDevice } from "@iapo/tensor-core";
import { withFailingAllocations } from "@iapo/tensor-core/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs, writeConfig } from "../src/config.ts";
import { QwenVLPolicy } from "../src/index.ts";
import { byteTokenizer } from "./support/byte-tokenizer.ts";

let device: Device;
let directory: string;
beforeAll(async () => {
  device = await openDevice();
  directory = mkdtempSync(join(tmpdir(), "policy-"));
  writeFileSync(join(directory, "config.json"), JSON.stringify(writeConfig(knownConfigs.nano)));
  writeFileSync(join(directory, "tokenizer.json"), JSON.stringify(byteTokenizer()));
});
afterAll(() => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
  rmSync(directory, { recursive: true });
});

const prompt = { freshPrompt: true, blocks: [{ id: "q", kind: "query", text: "What?\n" }] } as const;

/** Log-probs of a given turn. */
async function scored(policy: QwenVLPolicy): Promise<number[]> {
  const turn = policy.transcribe(prompt, "2019");
  const packed = policy.pack([[{ turns: [turn] }]]);
  const { logProb, entropy } = packed.logProbs();
  packed.dispose();
  entropy.dispose();
  const values = [...(await logProb.values())];
  logProb.dispose();
  return values;
}

test("all weights are trained, or an adapter, or nothing", async () => {
  const source = { directory, initialize: 3 };
  const [full, lora, frozen] = await Promise.all([
    QwenVLPolicy.load(device, source),
    QwenVLPolicy.load(device, source, { lora: { rank: 2, alpha: 4 }, seed: 5 }),
    QwenVLPolicy.load(device, source, { frozen: true }),
  ]);
  expect(full.parameters.length).toBe([...full.model.weights].length);
  expect(lora.parameters.every(({ name }) => name.includes(".lora_"))).toBe(true);
  expect(frozen.parameters).toEqual([]);
  expect(await scored(lora)).toEqual(await scored(frozen)); // a fresh adapter changes nothing
  expect(await scored(full)).toEqual(await scored(frozen));
  for (const policy of [full, lora, frozen]) policy.model.dispose();
  await expect(QwenVLPolicy.load(device, source, { lora: { rank: 2, alpha: 4, targets: ["none"] } })).rejects.toThrow(
    "no projection matches",
  );
  expect(device.memory().liveBytes).toBe(0);
});

test("weights leave under an adapter, and come back to the bit; those of a policy in turns are there only meanwhile", async () => {
  const source = { directory, initialize: 3 };
  const student = await QwenVLPolicy.load(device, source, { lora: { rank: 2, alpha: 4 } });
  const before = await scored(student);
  const { byTag } = device.memory();
  const teacher = await QwenVLPolicy.load(device, source, { residence: "turns" });
  expect(device.memory().byTag).toEqual(byTag);
  const meanwhile = await student.withoutWeights(async () => {
    expect(device.memory().byTag.weights ?? 0).toBe(0);
    return teacher.withWeights(async () => {
      expect(device.memory().byTag.weights).toBe(byTag.weights);
      return scored(teacher);
    });
  });
  expect(meanwhile).toEqual(before);
  expect(device.memory().byTag).toEqual(byTag);
  expect(await scored(student)).toEqual(before);
  const fail = Promise.reject(new Error("no use for it"));
  await expect(student.withoutWeights(() => teacher.withWeights(() => fail))).rejects.toThrow("no use for it");
  expect(device.memory().byTag).toEqual(byTag);
  student.model.dispose();
  teacher.model.dispose();
});

test("what is no model is said", async () => {
  await expect(QwenVLPolicy.load(device, join(directory, "nothing"))).rejects.toMatchObject({ name: "QwenVLError" });
  await expect(QwenVLPolicy.load(device, { directory }, { residence: "turns" })).rejects.toThrow("safetensors");
  await expect(QwenVLPolicy.load(device, { directory }, { maxPixels: -1 })).rejects.toThrow("maxPixels");
});

test("a large model is refused on a software adapter beside a graphics card, a small one is not", async () => {
  const facts = { ...device.facts, cardBeside: "/dev/nvidia0" };
  const beside = new (device.constructor as typeof Device)(device.gpu, facts, 2e9, false);
  (await QwenVLPolicy.load(beside, { directory, initialize: 3 })).model.dispose();
  const large = mkdtempSync(join(tmpdir(), "policy-"));
  try {
    writeFileSync(join(large, "config.json"), JSON.stringify(writeConfig(knownConfigs["3B"])));
    writeFileSync(join(large, "tokenizer.json"), JSON.stringify(byteTokenizer()));
    await expect(QwenVLPolicy.load(beside, { directory: large, initialize: 3 })).rejects.toMatchObject({
      code: "no_adapter",
      message: expect.stringMatching(
        /3\.8 billion weights would run on the CPU.*though \/dev\/nvidia0 shows a graphics card.*--adapter llvmpipe/s,
      ),
    });
  } finally {
    rmSync(large, { recursive: true });
  }
});

test("a load in which any allocation fails leaves nothing", async () => {
  const every = process.env.IAPO_FULL === "1" ? 1 : 8;
  for (const own of [device, planningDevice(device.facts)]) {
    const load = async (): Promise<void> => {
      const { model } = await QwenVLPolicy.load(own, { directory, initialize: 3 }, { lora: { rank: 2, alpha: 4 } });
      model.dispose();
    };
    const { allocations } = await withFailingAllocations(own, { from: Number.POSITIVE_INFINITY }, load);
    for (let from = 1; from <= allocations; from += every)
      expect(await withFailingAllocations(own, { from }, load)).toEqual({ allocations: from, failed: true });
  }
});

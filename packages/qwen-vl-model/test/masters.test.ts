// Trainable weights: f32 masters, run copies that follow every step, exports that hold the run copies' bits.
import { join } from "node:path";
import {
  type Device,
  fromBf16,
  mean,
  negate,
  openDevice,
  planningDevice,
  type Tensor,
  toBf16,
} from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs, loadConfig } from "../src/config.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { exportModel } from "../src/weights/export.ts";
import { loadWeights } from "../src/weights/load.ts";
import { refreshRunCopy, Weights } from "../src/weights/weights.ts";
import { groupBatch } from "./support/batch.ts";
import { type Golden, loadGolden } from "./support/golden.ts";
import { loadNano, nanoDirectory } from "./support/nano.ts";
import { temporaryDirectory } from "./support/temporary.ts";
import { optimizerOf, trainStep } from "./support/train-step.ts";

let device: Device;
let golden: Golden;
beforeAll(async () => {
  device = await openDevice();
  golden = await loadGolden(join(nanoDirectory, "golden.safetensors"));
});
afterAll(() => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

async function train(model: QwenVLModel, steps: number): Promise<number[]> {
  const batch = groupBatch(model, golden);
  const optimizer = optimizerOf(model);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    using loss = trainStep(model, optimizer, batch, ({ logProb }) => negate(mean(logProb)), { learningRate: 1e-3 });
    losses.push(await loss.item());
  }
  expect(await optimizer.readSteps()).toEqual({ applied: steps, skipped: 0 });
  optimizer.dispose();
  return losses;
}

async function snapshot(weights: Weights, part: "run" | "master"): Promise<Map<string, readonly number[]>> {
  const out = new Map<string, readonly number[]>();
  for (const weight of weights) out.set(weight.name, [...((await weight[part]?.values()) ?? [])]);
  return out;
}

async function reloaded(model: QwenVLModel): Promise<Map<string, readonly number[]>> {
  using directory = temporaryDirectory();
  const target = join(directory.path, "export");
  await exportModel(model, target);
  const weights = await loadWeights(device, await loadConfig(target), target);
  expect(weights.dtype).toBe(model.weights.dtype);
  const values = await snapshot(weights, "run");
  weights.dispose();
  return values;
}

test("bf16: masters are f32, run copies are their rounding after every step, vectors too", async () => {
  const model = await loadNano(device, { dtype: "bf16", trainable: () => true });
  const published = await loadNano(device, { dtype: "f32" });
  const before = await snapshot(model.weights, "master");
  expect(before).toEqual(await snapshot(published.weights, "run")); // masters keep what the file's f32 holds
  published.dispose();

  const losses = await train(model, 3);
  expect(losses[2]).toBeLessThan(losses[0]!);
  const masters = await snapshot(model.weights, "master");
  const runs = await snapshot(model.weights, "run");
  const vectors = [...model.weights].filter(({ shape }) => shape.length === 1);
  expect(vectors.length).toBeGreaterThan(30);
  for (const { name } of model.weights) {
    const master = masters.get(name)!;
    expect(master, name).not.toEqual(before.get(name));
    expect(runs.get(name), name).toEqual([...fromBf16(toBf16(master))]);
  }
  expect(await reloaded(model)).toEqual(runs);

  // What a resume does: run copies are made from the masters alone.
  for (const { run } of model.weights)
    for (const { tensor } of run.parts()) tensor.write(new Uint32Array(tensor.bytes / 4));
  for (const weight of model.weights) refreshRunCopy(weight);
  expect(await snapshot(model.weights, "run")).toEqual(runs);
  model.dispose();
});

test("f32: the run copy is the master", async () => {
  const model = await loadNano(device, { dtype: "f32", trainable: () => true });
  expect([...model.weights].every(({ run, master }) => run === master)).toBe(true);
  const before = await snapshot(model.weights, "run");
  await train(model, 1);
  const runs = await snapshot(model.weights, "run");
  for (const [name, values] of runs) expect(values, name).not.toEqual(before.get(name));
  expect(await reloaded(model)).toEqual(runs);
  model.dispose();
});

test("frozen weights have no master and stay as they are", async () => {
  const frozen = (name: string) => name.startsWith("visual.") || name.includes("embed");
  const model = await loadNano(device, { dtype: "bf16", trainable: (name) => !frozen(name) });
  const before = await snapshot(model.weights, "run");
  const { masters } = device.memory().byTag;
  const trained = model.weights.trainable.reduce((count, { run }) => count + run.size, 0);
  expect(masters).toBeGreaterThanOrEqual(4 * trained);
  expect(masters).toBeLessThan(1.3 * 4 * trained);
  await train(model, 1);
  for (const [name, values] of await snapshot(model.weights, "run")) {
    if (frozen(name)) expect(values, name).toEqual(before.get(name));
    expect(model.weights.weight(name).master === undefined, name).toBe(frozen(name));
  }
  model.dispose();
});

test.each([
  [4000, [1024, 1024, 1024, 928]],
  [1500, [1024, 476]], // one binding would span the run copy, but not its master
])("run copies and masters have the same row shards, within the binding limit: %i tokens", (vocabSize, shards) => {
  const facts = { ...device.facts, maxBinding: 2 ** 18 };
  const planning = planningDevice(facts);
  const { nano } = knownConfigs;
  const config = { ...nano, text: { ...nano.text, vocabSize } };
  const weights = Weights.allocate(planning, config, "bf16", () => true);
  const rows = (tensor: Tensor | undefined) => tensor!.parts().map(({ tensor: part }) => part.shape[0]);
  for (const { run, master } of weights) expect(rows(master)).toEqual(rows(run));
  expect(rows(weights.get("model.embed_tokens.weight"))).toEqual(shards);
  weights.dispose();
  planning.close();
});

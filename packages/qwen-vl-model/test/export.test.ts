// Exported directories: the bits of the merged weights come back, whole or not at all, sharded on the GPU and in files.
import { mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Device, openDevice, toBf16 } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { QwenVLConfig } from "../src/config/types.ts";
import { knownConfigs, loadConfig } from "../src/config.ts";
import { mergedWeights } from "../src/lora/merge.ts";
import { QwenVLModel } from "../src/model/model.ts";
import type { Sequence } from "../src/model/pack.ts";
import { exportModel } from "../src/weights/export.ts";
import { initializeWeights } from "../src/weights/initialize.ts";
import { loadWeights, writeValues } from "../src/weights/load.ts";
import { verifyExport } from "../src/weights/verify-export.ts";
import { Weights } from "../src/weights/weights.ts";
import { activeAdapter } from "./support/adapter.ts";
import { type Golden, loadGolden } from "./support/golden.ts";
import { imagesOf, loadNano, nanoDirectory, sequenceOf } from "./support/nano.ts";
import { temporaryDirectory } from "./support/temporary.ts";

let device: Device;
let golden: Golden;
let probes: Sequence[];
beforeAll(async () => {
  device = await openDevice();
  golden = await loadGolden(join(nanoDirectory, "golden.safetensors"));
  probes = [sequenceOf(golden, "A", 0, imagesOf(golden, "A"))];
});
afterAll(() => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

const EVERY_PROJECTION = /_proj$|qkv$|attn\.proj$|merger/;

test.each(["f32", "bf16"] as const)("an adapter is merged, rounded and exported to the bit: %s", async (dtype) => {
  using directory = temporaryDirectory();
  const target = join(directory.path, "export");
  const model = await loadNano(device, { dtype });
  model.adapter = activeAdapter(model, { rank: 5, alpha: 2, targets: EVERY_PROJECTION });
  expect(model.adapter.pairs.size).toBe(4 * 5 + 2 + 3 * 7);
  await exportModel(model, target, { companions: nanoDirectory });
  expect((await readdir(target)).sort()).toEqual(["config.json", "generation_config.json", "model.safetensors"]);
  const check = await verifyExport(model, target, probes);
  expect(check.rows).toBe(Math.min(64, probes[0]!.tokens.length));
  expect(check.distance).toBeGreaterThan(0);
  if (dtype === "f32") {
    expect(check.distance).toBeLessThan(1e-5);
    expect(check.topOneAgreement).toBe(1);
  } else {
    expect(check.distance).toBeLessThan(0.02);
    expect(check.topOneAgreement).toBeGreaterThan(0.8);
  }
  const config = await loadConfig(target);
  expect(config).toEqual({ ...model.config, dtype: dtype === "bf16" ? "bfloat16" : "float32" });

  // The adapter does something: without it the export is another model.
  model.adapter.dispose();
  model.adapter = undefined;
  await expect(verifyExport(model, target, probes)).rejects.toThrow(expect.objectContaining({ code: "export" }));
  model.dispose();
});

test("one changed bit in the directory is found", async () => {
  using directory = temporaryDirectory();
  const target = join(directory.path, "export");
  const model = await loadNano(device);
  await exportModel(model, target);
  expect(await verifyExport(model, target, probes)).toEqual({
    rows: expect.any(Number),
    distance: 0,
    topOneAgreement: 1,
  });
  const file = await open(join(target, "model.safetensors"), "r+");
  const { size } = await file.stat();
  const word = Buffer.alloc(4);
  await file.read(word, 0, 4, size - 4);
  word[1]! ^= 1;
  await file.write(word, 0, 4, size - 4);
  await file.close();
  await expect(verifyExport(model, target, probes)).rejects.toThrow("logits differ");
  model.dispose();
});

/** A model whose matrices lie in shards of 256 rows. */
async function sharded(config: QwenVLConfig, dtype: "f32" | "bf16"): Promise<QwenVLModel> {
  const whole = initializeWeights(device, config, [3, 4], { dtype });
  const parts = [];
  for (const weight of whole) {
    const [rows, columns] = weight.run.shape as [number, number?];
    const run =
      columns === undefined || rows <= 256
        ? weight.run.alias()
        : device.emptyMatrix([rows, columns], dtype, (weight.run.bytes / rows) * 256);
    if (run.shards) writeValues(run, (await weight.run.read()) as Float32Array | Uint16Array, 0, dtype);
    parts.push({ ...weight, run });
  }
  whole.dispose();
  return new QwenVLModel(config, new Weights(device, dtype, parts));
}

async function bits(weights: Weights): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  for (const { name, run } of weights) out.set(name, Buffer.from((await run.read()).buffer).toString("base64"));
  return out;
}

test.each(["f32", "bf16"] as const)("row shards and small files: %s", async (dtype) => {
  using directory = temporaryDirectory();
  const { nano } = knownConfigs;
  const config = { ...nano, text: { ...nano.text, intermediateSize: 600, numHiddenLayers: 1 } };
  const model = await sharded(config, dtype);
  expect(model.weights.get("model.layers.0.mlp.up_proj.weight").shards).toHaveLength(3);
  model.adapter = activeAdapter(model);
  const target = join(directory.path, "deep", "export");
  await exportModel(model, target, { maxShardBytes: 200_000 });
  const files = await readdir(target);
  expect(files).toContain("model.safetensors.index.json");
  expect(files.filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(2);

  const merged = mergedWeights(model.weights, model.adapter);
  const loaded = await loadWeights(device, await loadConfig(target), target);
  expect(await bits(loaded)).toEqual(await bits(merged));
  await expectMerged(model, merged);
  for (const weights of [loaded, merged]) weights.dispose();
  model.dispose();
});

/** W + scale * B A in f64, rounded to the weights' dtype: each element within rounding of it. */
async function expectMerged({ adapter, weights }: QwenVLModel, merged: Weights): Promise<void> {
  for (const [name, pair] of adapter!.pairs) {
    const base = await weights.get(`${name}.weight`).values();
    const got = await merged.get(`${name}.weight`).values();
    const [a, b] = [await pair.a.run.values(), await pair.b.run.values()];
    const rank = pair.a.run.shape[0]!;
    const width = pair.a.run.shape[1]!;
    let worst = 0;
    got.forEach((value, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += b[row * rank + r]! * a[r * width + column]!;
      const exact = base[i]! + pair.scale * sum;
      const unit = weights.dtype === "bf16" ? 2 ** -8 : 2 ** -22;
      worst = Math.max(worst, Math.abs(value - exact) / (unit * Math.abs(exact) + 1e-7));
    });
    expect(worst, name).toBeLessThan(1.01);
  }
}

test("what goes wrong leaves nothing behind", async () => {
  using directory = temporaryDirectory();
  const target = join(directory.path, "export");
  const model = await loadNano(device);
  await expect(exportModel(model, target, { companions: join(directory.path, "nowhere") })).rejects.toThrow(
    expect.objectContaining({ code: "io" }),
  );
  model.weights.get("model.layers.2.mlp.down_proj.weight").dispose();
  await expect(exportModel(model, target)).rejects.toThrow(expect.objectContaining({ code: "disposed" }));
  expect(await readdir(directory.path)).toEqual([]);

  await writeFile(join(directory.path, "notes.txt"), "mine");
  await expect(exportModel(model, directory.path)).rejects.toThrow("there are files already");
  expect(await readFile(join(directory.path, "notes.txt"), "utf8")).toBe("mine");
  model.dispose();
});

test("bf16 vectors are rounded once, at loading", async () => {
  using directory = temporaryDirectory();
  const model = await loadNano(device, { dtype: "bf16" });
  const target = join(directory.path, "export");
  await exportModel(model, target);
  const reloaded = await loadWeights(device, await loadConfig(target), target);
  expect(reloaded.dtype).toBe("bf16");
  expect(await bits(reloaded)).toEqual(await bits(model.weights));
  const norm = (await reloaded.get("model.norm.weight").values()) as Float32Array;
  const words = new Uint32Array(norm.buffer);
  expect([...words].every((word) => (word & 0xffff) === 0)).toBe(true);
  expect([...toBf16(norm)]).toEqual([...words].map((word) => word >>> 16));
  reloaded.dispose();
  model.dispose();
});

test("an export keeps processor_config.json, where transformers 5 has the image processor", async () => {
  using directory = temporaryDirectory();
  const from = join(directory.path, "from");
  await mkdir(from);
  await writeFile(join(from, "processor_config.json"), `{"image_processor":{"size":null}}`);
  const model = await loadNano(device);
  await exportModel(model, join(directory.path, "to"), { companions: from });
  model.dispose();
  expect(await readFile(join(directory.path, "to", "processor_config.json"), "utf8")).toContain("image_processor");
});

test("a tokenizer.json that stands alone gets a file that tells transformers to take it; one that is there stays", async () => {
  using directory = temporaryDirectory();
  const source = join(directory.path, "source");
  await mkdir(source);
  await writeFile(join(source, "tokenizer.json"), "{}");
  const own = await loadNano(device);
  await exportModel(own, join(directory.path, "alone"), { companions: source });
  const made = await readFile(join(directory.path, "alone", "tokenizer_config.json"), "utf8");
  expect(JSON.parse(made)).toEqual({ tokenizer_class: "PreTrainedTokenizerFast" });
  await writeFile(join(source, "tokenizer_config.json"), '{"mine": 1}');
  await exportModel(own, join(directory.path, "both"), { companions: source });
  expect(await readFile(join(directory.path, "both", "tokenizer_config.json"), "utf8")).toBe('{"mine": 1}');
  own.dispose();
});

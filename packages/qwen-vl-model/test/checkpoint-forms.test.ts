// Checkpoints as people have them: other dtypes, names and files than the published ones; and pairs that a configuration ties.
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Device, fromBf16, openDevice, toBf16 } from "@iapo/tensor-core";
import { openSafetensors, type TensorSource, writeSafetensors } from "@iapo/tensor-core/safetensors";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../src/config.ts";
import { QwenVLError } from "../src/error.ts";
import { loadProcessor } from "../src/processor/load.ts";
import { fromF16 } from "../src/weights/half.ts";
import { checkWeights, loadWeights } from "../src/weights/load.ts";
import type { Weights } from "../src/weights/weights.ts";
import { nanoDirectory } from "./support/nano.ts";
import { temporaryDirectory } from "./support/temporary.ts";

interface Stored {
  readonly name: string;
  readonly dtype: "F32" | "BF16" | "F16";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const EMBEDDING = "model.embed_tokens.weight";
let device: Device;
let published: Stored[];
let values: Map<string, Float32Array>;

beforeAll(async () => {
  device = await openDevice();
  await using reader = await openSafetensors(nanoDirectory);
  published = [];
  for (const { name, dtype, shape } of reader.tensors.values()) {
    published.push({ name, dtype: dtype as Stored["dtype"], shape, bytes: await reader.read(name) });
  }
  values = new Map(published.map(({ name, bytes }) => [name, new Float32Array(bytes.buffer)]));
});
afterAll(() => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

/** A directory with these tensors in place of the published ones. */
async function checkpointOf(tensors: readonly Stored[], config: object = {}) {
  const directory = temporaryDirectory();
  cpSync(nanoDirectory, directory.path, { recursive: true });
  const file = join(directory.path, "config.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...config }));
  const sources = tensors.map(({ bytes, ...tensor }): TensorSource => ({ ...tensor, data: () => [bytes] }));
  await writeSafetensors(join(directory.path, "model.safetensors"), sources);
  return directory;
}

async function load(directory: string, dtype?: "f32" | "bf16"): Promise<Weights> {
  return loadWeights(device, await loadConfig(directory), directory, { dtype });
}

async function expectValues(weights: Weights, expected: (name: string) => Float32Array): Promise<void> {
  for (const { name, run } of weights)
    expect(Buffer.compare(bytesOf(await run.values()), bytesOf(expected(name)))).toBe(0);
  weights.dispose();
}
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
const valuesOf = (name: string): Float32Array => values.get(name) ?? new Float32Array();

/** Halves by another road than the tested one: of each value the nearest, found by trial. */
function halves(floats: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(floats, (value) => {
    const magnitude = Math.abs(value);
    const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 2 ** -20)));
    const steps = Math.round(magnitude / 2 ** (exponent - 10));
    return (value < 0 ? 0x8000 : 0) + (exponent === -14 && steps < 1024 ? steps : (exponent + 14) * 1024 + steps);
  });
}

test("every half is a float: known values, and the sum of all finite ones of one sign", () => {
  const patterns = Uint16Array.of(0, 0x8000, 1, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x7c00, 0xfc00, 0x7e00);
  const expected = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2, 0.333251953125, 65504, Infinity, -Infinity, NaN];
  expect([...fromF16(patterns)]).toEqual(expected);
  const positive = fromF16(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
  expect(positive.every((value, i) => i === 0 || value > (positive[i - 1] ?? 0))).toBe(true);
  expect(halves(positive)).toEqual(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
});

test("an F16 checkpoint is held in f32, exactly; in bf16 it is rounded where that is asked for", async () => {
  const half = published.map((tensor): Stored => {
    const patterns = halves(valuesOf(tensor.name));
    return { ...tensor, dtype: "F16", bytes: new Uint8Array(patterns.buffer) };
  });
  using directory = await checkpointOf(half);
  const widened = (name: string): Float32Array => fromF16(halves(valuesOf(name)));
  const loaded = await load(directory.path);
  expect(loaded.dtype).toBe("f32");
  await expectValues(loaded, widened);
  await expectValues(await load(directory.path, "bf16"), (name) => fromBf16(toBf16(widened(name))));
});

test.each<[string, (name: string) => string]>([
  ["DistributedDataParallel", (name) => `module.${name}`],
  ["torch.compile under DistributedDataParallel", (name) => `module._orig_mod.${name}`],
  ["MLX", (name) => name.replace(/^visual\./, "vision_tower.").replace(/^model\./, "language_model.model.")],
  [
    "transformers 5 in memory",
    (name) => name.replace(/^visual\./, "model.visual.").replace(/^model\.(?!visual)/, "model.language_model."),
  ],
  ["the model without its head, new", (name) => name.replace(/^model\./, "language_model.")],
  ["the decoder alone, beside the tower", (name) => name.replace(/^model\./, "")],
])("names of %s", async (_, rename) => {
  using directory = await checkpointOf(published.map((tensor) => ({ ...tensor, name: rename(tensor.name) })));
  await expectValues(await load(directory.path), valuesOf);
});

test("buffers that follow from the configuration are passed over, other tensors are not", async () => {
  const buffer = (name: string): Stored => ({ name, dtype: "F32", shape: [8], bytes: new Uint8Array(32) });
  const buffers = [
    "model.rotary_emb.inv_freq",
    "model.layers.0.self_attn.rotary_emb.inv_freq",
    "visual.rotary_pos_emb.inv_freq",
  ];
  using directory = await checkpointOf([...published, ...buffers.map(buffer)]);
  await expectValues(await load(directory.path), valuesOf);
  using other = await checkpointOf([...published, buffer("model.layers.0.self_attn.q_proj.input_scale")]);
  await expect(load(other.path)).rejects.toThrow("input_scale belongs to no part of this model");
});

test("a tied matrix under the head's name alone, as safetensors keeps shared tensors", async () => {
  const renamed = published.map((tensor) => ({ ...tensor, name: tensor.name.replace(EMBEDDING, "lm_head.weight") }));
  using directory = await checkpointOf(renamed);
  await expectValues(await load(directory.path), valuesOf);
  using untied = await checkpointOf(renamed, { tie_word_embeddings: false, text_config: null });
  await expect(load(untied.path)).rejects.toThrow(QwenVLError);
});

test("a tied head that is the embedding is passed over, one that differs anywhere is refused, whatever its dtype", async () => {
  const embedding = published.find(({ name }) => name === EMBEDDING);
  if (!embedding) throw new Error("no embedding");
  const head = (floats: Float32Array<ArrayBuffer>): Stored => ({
    ...embedding,
    name: "lm_head.weight",
    bytes: new Uint8Array(floats.buffer),
  });
  const own = Float32Array.from(valuesOf(EMBEDDING));
  using same = await checkpointOf([...published, head(own)]);
  await expectValues(await load(same.path), valuesOf);
  const other = Float32Array.from(own);
  other[other.length - 1] = 7;
  using different = await checkpointOf([...published, head(other)]);
  const message = /lm_head\.weight differs from model\.embed_tokens\.weight, .* set tie_word_embeddings to false/;
  await expect(load(different.path)).rejects.toThrow(message);
  await expect(checkWeights(await loadConfig(different.path), different.path)).rejects.toThrow(message);
  const rounded = Uint16Array.from(toBf16(own));
  const bf16: Stored = { ...embedding, name: "lm_head.weight", dtype: "BF16", bytes: new Uint8Array(rounded.buffer) };
  using narrow = await checkpointOf([...published, bf16]);
  await expect(load(narrow.path)).rejects.toThrow(message);
});

test.each([
  ["pytorch_model.bin", /holds pytorch_model\.bin, and reading that runs code; convert it/],
  ["model-00001-of-00002.safetensors", /without model\.safetensors\.index\.json/],
  ["model.fp16.safetensors", /rename the one that is meant to model\.safetensors/],
])("weights in another form are named, with what to do: %s", async (name, message) => {
  using directory = temporaryDirectory();
  cpSync(nanoDirectory, directory.path, { recursive: true });
  rmSync(join(directory.path, "model.safetensors"));
  writeFileSync(join(directory.path, name), "");
  await expect(load(directory.path)).rejects.toThrow(message);
  await expect(load(directory.path)).rejects.toThrow(expect.objectContaining({ name: "QwenVLError", code: "tensors" }));
});

test("a tokenizer of vocab.json and merges.txt alone is refused with what makes the other", async () => {
  using directory = temporaryDirectory();
  cpSync(join(nanoDirectory, "config.json"), join(directory.path, "config.json"));
  writeFileSync(join(directory.path, "vocab.json"), "{}");
  await expect(loadProcessor(directory.path)).rejects.toThrow(/tokenizer\.json: there is no such file; AutoTokenizer/);
});

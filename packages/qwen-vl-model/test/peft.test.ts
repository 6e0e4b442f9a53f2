// Adapters on disk: PEFT's names and fields, both namings of the modules, and files that are not what they should be.
import { execFileSync } from "node:child_process";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Device, fromBf16, openDevice, toBf16 } from "@iapo/tensor-core";
import { openSafetensors, SafetensorsError, writeSafetensors } from "@iapo/tensor-core/safetensors";
import { afterAll, beforeAll, expect, test } from "vitest";
import { QwenVLError } from "../src/error.ts";
import type { Adapter } from "../src/lora/adapter.ts";
import { loadAdapter, saveAdapter } from "../src/lora/peft.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { activeAdapter } from "./support/adapter.ts";
import { loadNano } from "./support/nano.ts";
import { temporaryDirectory } from "./support/temporary.ts";

const TARGETS = /^(model\.layers\.1\.(self_attn\.q_proj|mlp\.down_proj)|visual\.blocks\.0\.attn\.qkv)$/;
let device: Device;
let model: QwenVLModel;
let adapter: Adapter;
let liveBytes: number;

beforeAll(async () => {
  device = await openDevice();
  model = await loadNano(device);
  adapter = activeAdapter(model, { rank: 3, alpha: 6, targets: TARGETS });
  liveBytes = device.memory().liveBytes;
});
afterAll(() => {
  adapter.dispose();
  model.dispose();
  device.close();
});

async function contents(of: Adapter): Promise<Map<string, readonly number[]>> {
  const out = new Map<string, readonly number[]>();
  for (const { name, run } of of.parameters) out.set(name, [...(await run.values())]);
  return out;
}

test("a saved adapter has PEFT's names and fields, and loads as it was", async () => {
  using directory = temporaryDirectory();
  await saveAdapter(adapter, directory.path, "Qwen/Qwen2.5-VL-3B-Instruct");
  const config = JSON.parse(await readFile(join(directory.path, "adapter_config.json"), "utf8"));
  expect(config).toMatchObject({
    peft_type: "LORA",
    r: 3,
    lora_alpha: 6,
    base_model_name_or_path: "Qwen/Qwen2.5-VL-3B-Instruct",
    target_modules: [
      "model.visual.blocks.0.attn.qkv",
      "model.language_model.layers.1.self_attn.q_proj",
      "model.language_model.layers.1.mlp.down_proj",
    ],
  });
  await using reader = await openSafetensors(join(directory.path, "adapter_model.safetensors"));
  expect(reader.info("base_model.model.model.language_model.layers.1.mlp.down_proj.lora_A.weight").shape).toEqual([
    3, 144,
  ]);
  expect(reader.info("base_model.model.model.visual.blocks.0.attn.qkv.lora_B.weight").shape).toEqual([144, 3]);

  const loaded = await loadAdapter(device, model.config, directory.path);
  expect([...loaded.pairs.values()].map(({ scale }) => scale)).toEqual([2, 2, 2]);
  expect(await contents(loaded)).toEqual(await contents(adapter));
  loaded.dispose();
  expect(device.memory().liveBytes).toBe(liveBytes);
});

/** Writes an adapter of one projection by hand. */
async function writeByHand(directory: string, options: { config?: object; tensors?: Record<string, Matrix> } = {}) {
  const { config = {}, tensors = { ...pair("model.layers.0.self_attn.k_proj", 2, 64, 32) } } = options;
  const fields = { peft_type: "LORA", r: 2, lora_alpha: 1, ...config };
  await writeFile(join(directory, "adapter_config.json"), JSON.stringify(fields));
  const sources = Object.entries(tensors).map(([name, { shape, bf16 }]) => {
    const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i));
    const data = bf16 ? toBf16(values) : values;
    return {
      name: `base_model.model.${name}`,
      shape,
      dtype: bf16 ? ("BF16" as const) : ("F32" as const),
      data: () => [new Uint8Array(data.buffer)],
    };
  });
  await writeSafetensors(join(directory, "adapter_model.safetensors"), sources);
}

interface Matrix {
  readonly shape: readonly [number, number];
  readonly bf16?: boolean;
}

function pair(module: string, rank: number, input: number, out: number, bf16 = false): Record<string, Matrix> {
  return {
    [`${module}.lora_A.weight`]: { shape: [rank, input], bf16 },
    [`${module}.lora_B.weight`]: { shape: [out, rank], bf16 },
  };
}

test.each(["model.layers.0.self_attn.k_proj", "model.language_model.layers.0.self_attn.k_proj"])(
  "either naming, bf16 too: %s",
  async (module) => {
    using directory = temporaryDirectory();
    await writeByHand(directory.path, {
      tensors: pair(module, 2, 64, 32, true),
      config: { use_dora: false, rank_pattern: {} },
    });
    const loaded = await loadAdapter(device, model.config, directory.path);
    expect([...loaded.pairs.keys()]).toEqual(["model.layers.0.self_attn.k_proj"]);
    const { b } = loaded.pairs.get("model.layers.0.self_attn.k_proj")!;
    expect(b.run.shape).toEqual([32, 2]);
    const expected = fromBf16(toBf16(Float32Array.from({ length: 64 }, (_, i) => Math.sin(i))));
    expect([...(await b.run.values())]).toEqual([...expected]);
    loaded.dispose();
  },
);

const oldAndNew = {
  ...pair("model.layers.0.self_attn.k_proj", 2, 64, 32),
  ...pair("model.language_model.layers.0.self_attn.k_proj", 2, 64, 32),
};
const { "model.layers.0.self_attn.k_proj.lora_A.weight": onlyA } = oldAndNew;

test.each([
  ["another method", { config: { peft_type: "LOHA" } }, "config", "peft_type"],
  ["a rank that is no number", { config: { r: "2" } }, "config", "r:"],
  ["a rank beyond reason", { config: { r: 1e9 } }, "config", "r:"],
  ["DoRA", { config: { use_dora: true } }, "config", "DoRA"],
  ["a rank per module that the matrices do not have", { config: { rank_pattern: { k_proj: 4 } } }, "tensors", "[4,64]"],
  ["a pattern that never ends", { config: { rank_pattern: { "(([a-z_.0-9]+)+)+!": 4 } } }, "config", "takes longer"],
  ["a pattern that is none", { config: { alpha_pattern: { "(": 4 } } }, "config", "alpha_pattern: (: "],
  ["an alpha beyond f32", { config: { lora_alpha: 1e39 } }, "config", "lora_alpha: too large"],
  ["an alpha of a module beyond f32", { config: { alpha_pattern: { k_proj: 1e-320 } } }, "config", "too small"],
  [
    "matrices that no name takes",
    { config: { target_modules: ["q_proj"] } },
    "tensors",
    /q_proj, for which|k_proj.*leaves its module out/,
  ],
  [
    "matrices that the pattern leaves out",
    { config: { target_modules: ".*v_proj" } },
    "tensors",
    "leaves its module out",
  ],
  [
    "names of another library",
    { tensors: { "lora_unet_k_proj.lora_down.weight": { shape: [2, 64] } }, config: { target_modules: ["k_proj"] } },
    "tensors",
    "lora_unet_k_proj.lora_down.weight belongs to no projection",
  ],
  ["aLoRA", { config: { alora_invocation_tokens: [151644] } }, "config", "alora_invocation_tokens: activated LoRA"],
  ["layers used twice", { config: { layer_replication: [[0, 3]] } }, "config", "layer_replication"],
  ["a bias of B", { config: { lora_bias: true } }, "config", "lora_bias"],
  ["biases", { config: { bias: "lora_only" } }, "config", "bias: only"],
  ["a variant with its defaults", { config: { kasa_config: {} } }, "config", "kasa_config: KaSA"],
  ["single tokens", { config: { trainable_token_indices: [5] } }, "config", "trainable_token_indices"],
  [
    "what nobody knows yet",
    { config: { variant_of_next_year: true } },
    "config",
    "variant_of_next_year: true, a variant",
  ],
  ["whole modules of the middle", { config: { modules_to_save: ["merger"] } }, "config", "modules_to_save: merger"],
  [
    "a whole head that is not there",
    { config: { modules_to_save: ["lm_head"] } },
    "tensors",
    "lm_head.weight [512,64] is missing",
  ],
  ["a target without matrices", { config: { target_modules: ["k_proj", "gate_proj"] } }, "tensors", "names gate_proj"],
  ["an adapted head", { tensors: pair("lm_head", 2, 64, 512) }, "tensors", "merge_and_unload"],
  ["a start that alters the base", { config: { init_lora_weights: "pissa" } }, "config", "base weights"],
  ["another rank than announced", { config: { r: 3 } }, "tensors", "[3,64]"],
  [
    "B without A",
    { tensors: { "model.layers.0.self_attn.k_proj.lora_B.weight": { shape: [32, 2] } } },
    "tensors",
    "missing",
  ],
  ["A without B", { tensors: { "model.layers.0.self_attn.k_proj.lora_A.weight": onlyA! } }, "tensors", "missing"],
  [
    "a projection of another model",
    { tensors: pair("model.layers.9.self_attn.k_proj", 2, 64, 32) },
    "tensors",
    "belongs to no",
  ],
  ["the embedding", { tensors: pair("model.embed_tokens", 2, 64, 512) }, "tensors", "belongs to no"],
  [
    "a whole embedding of another size",
    { tensors: { "model.embed_tokens.weight": { shape: [520, 64] } } },
    "tensors",
    "[512,64]",
  ],
  ["a wrong width", { tensors: pair("model.layers.0.self_attn.k_proj", 2, 60, 32) }, "tensors", "[2,64]"],
  ["the same projection twice", { tensors: oldAndNew }, "tensors", "twice"],
  ["no tensors", { tensors: {} }, "tensors", "no tensors"],
] as const)("%s is refused", async (_, options, code, text) => {
  using directory = temporaryDirectory();
  await writeByHand(directory.path, options);
  const attempt = loadAdapter(device, model.config, directory.path);
  await expect(attempt).rejects.toThrow(expect.objectContaining({ name: "QwenVLError", code }));
  await expect(attempt).rejects.toThrow(text);
  expect(device.memory().liveBytes).toBe(liveBytes);
});

test("what does not matter to a trained adapter is not looked at; null, false and empty are absent", async () => {
  using directory = temporaryDirectory();
  const absent = {
    use_dora: false,
    alora_invocation_tokens: null,
    layer_replication: [],
    rank_pattern: {},
    next_year: false,
  };
  const harmless = {
    lora_dropout: 0.1,
    peft_version: "0.21.2",
    unsloth_fixed: true,
    layers_to_transform: [0],
    loftq_config: {},
  };
  await writeByHand(directory.path, {
    config: { ...absent, ...harmless, target_modules: ".*_proj", qalora_group_size: 16 },
  });
  (await loadAdapter(device, model.config, directory.path)).dispose();
});

test.each([
  ["the adapter's name in the keys", (key: string) => key.replace(/\.weight$/, ".default.weight")],
  ["a wrapper of many devices", (key: string) => `module.${key}`],
  ["MLX", (key: string) => key.replace(/^model\./, "language_model.model.")],
])("keys with %s", async (_, renamed) => {
  using directory = temporaryDirectory();
  const tensors = Object.entries(pair("model.layers.0.self_attn.k_proj", 2, 64, 32)).map(([key, matrix]) => [
    renamed(key),
    matrix,
  ]);
  await writeByHand(directory.path, { tensors: Object.fromEntries(tensors) });
  const loaded = await loadAdapter(device, model.config, directory.path);
  expect([...loaded.pairs.keys()]).toEqual(["model.layers.0.self_attn.k_proj"]);
  loaded.dispose();
});

test("an adapter that only PyTorch can read is named, with what to do", async () => {
  using directory = temporaryDirectory();
  await writeByHand(directory.path);
  await rename(join(directory.path, "adapter_model.safetensors"), join(directory.path, "adapter_model.bin"));
  await expect(loadAdapter(device, model.config, directory.path)).rejects.toThrow(
    "adapter_model.bin, and reading that runs code",
  );
});

test("missing, broken and truncated files are refused", async () => {
  using directory = temporaryDirectory();
  await expect(loadAdapter(device, model.config, directory.path)).rejects.toThrow(QwenVLError);
  await writeByHand(directory.path);
  const file = join(directory.path, "adapter_model.safetensors");
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, bytes.length - 1));
  await expect(loadAdapter(device, model.config, directory.path)).rejects.toThrow(SafetensorsError);
  const notFinite = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4);
  notFinite.setFloat32(0, Number.NaN, true);
  await writeFile(file, bytes);
  await expect(loadAdapter(device, model.config, directory.path)).rejects.toThrow(
    "lora_B.weight holds a value that is not finite",
  );
  await writeFile(join(directory.path, "adapter_config.json"), "{");
  await expect(loadAdapter(device, model.config, directory.path)).rejects.toThrow(QwenVLError);
  expect(device.memory().liveBytes).toBe(liveBytes);
});

test.skipIf(process.platform === "win32")("a pipe in the place of a file is not waited for", async () => {
  using directory = temporaryDirectory();
  for (const name of ["adapter_model.safetensors", "adapter_config.json"]) {
    await writeByHand(directory.path);
    await rm(join(directory.path, name));
    execFileSync("mkfifo", [join(directory.path, name)]);
    await expect(loadAdapter(device, model.config, directory.path)).rejects.toThrow(`${name}: not a regular file`);
    await rm(join(directory.path, name));
  }
});

import { readFileSync, writeFileSync } from "node:fs";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  knownConfigs,
  loadConfig,
  loadGenerationConfig,
  loadPreprocessorConfig,
  matchTensors,
  parseConfig,
  parseGenerationConfig,
  parsePreprocessorConfig,
  publishedName,
  type QwenVLConfig,
  QwenVLError,
  tensorTable,
  writeConfig,
} from "../../src/config.ts";
import type { Qwen25VisionConfig } from "../../src/families/qwen2-5-vl/config.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const nanoDirectory = new URL("../fixtures/model-nano", import.meta.url).pathname;
const nanoJson = JSON.parse(readFileSync(`${nanoDirectory}/config.json`, "utf8")) as Json;
type Json = Record<string, unknown>;

function part(json: Json, key: string): Json {
  return json[key] as Json;
}

/** The flat shape of the published 3B checkpoint. */
const flat3B: Json = {
  ...writeConfig(knownConfigs["3B"]),
  attention_dropout: 0,
  initializer_range: 0.02,
  sliding_window: 32768,
  max_window_layers: 70,
  vision_token_id: 151654,
  transformers_version: "4.41.2",
  use_cache: true,
};

/** What transformers 4.5x makes of it: the text fields nested and again at the top. */
function nested(flat: Json): Json {
  const { vision_config, architectures, model_type, torch_dtype, tie_word_embeddings, ...text } = flat;
  const textConfig = {
    ...text,
    model_type: "qwen2_5_vl_text",
    torch_dtype,
    rope_scaling: { ...part(text, "rope_scaling"), type: "default", rope_type: "default" },
  };
  return {
    ...text,
    architectures,
    model_type,
    torch_dtype,
    tie_word_embeddings,
    vision_config,
    text_config: textConfig,
  } as Json;
}

function messageOf(json: unknown): string {
  try {
    parseConfig(json, "x/config.json");
  } catch (error) {
    if (error instanceof QwenVLError && error.code === "config") return error.message;
    throw error;
  }
  throw new Error("was accepted");
}

describe("config.json", () => {
  test("the nested shape of transformers 5, as its own writer left it", async () => {
    expect(await loadConfig(nanoDirectory)).toEqual({ ...knownConfigs.nano, text: { ...knownConfigs.nano.text } });
  });

  test("flat, nested and written shapes give the same record, for every known size", () => {
    for (const config of Object.values(knownConfigs)) {
      const flat = JSON.parse(JSON.stringify(writeConfig(config))) as Json;
      expect(parseConfig(flat)).toEqual(config);
      if (!("text_config" in flat)) expect(parseConfig(nested(flat))).toEqual(config);
    }
    expect(parseConfig(flat3B)).toEqual(knownConfigs["3B"]);
  });

  test("tied in either place is tied", () => {
    const { tie_word_embeddings: _, ...untied } = nanoJson;
    expect(parseConfig(untied).text.tieWordEmbeddings).toBe(true);
    expect(
      parseConfig({ ...untied, text_config: { ...part(nanoJson, "text_config"), tie_word_embeddings: false } }).text
        .tieWordEmbeddings,
    ).toBe(false);
  });

  test("a vision_config that leaves out defaults, as Hugging Face saves it", () => {
    const vision_config = { hidden_size: 1280, in_chans: 3, spatial_patch_size: 14, tokens_per_second: 2 };
    const flat = { ...(writeConfig(knownConfigs["7B"]) as Json), vision_config };
    expect(parseConfig(flat)).toEqual(knownConfigs["7B"]);
  });

  const faults: [string, Json, string][] = [
    ["another model", { ...flat3B, model_type: "qwen2_vl" } as Json, "model_type: only"],
    ["a field of the wrong type", { ...flat3B, hidden_size: "2048" }, "hidden_size: "],
    [
      "a nested field of the wrong type",
      { ...nanoJson, text_config: { ...part(nanoJson, "text_config"), num_hidden_layers: 1.5 } },
      "text_config.num_hidden_layers: ",
    ],
    ["a hostile size", { ...flat3B, num_hidden_layers: 1e9 }, "num_hidden_layers: "],
    [
      "a misspelled field",
      (({ num_key_value_heads: n, ...rest }): Json => ({ ...rest, num_key_value_head: n }))(flat3B) as Json,
      'is "num_key_value_head" meant',
    ],
    ["no normalization constant", (({ rms_norm_eps: _, ...rest }) => rest)(flat3B) as Json, "rms_norm_eps: "],
    ["a dtype of another kind", { ...flat3B, torch_dtype: "int8" }, "dtype: Invalid option"],
    [
      "sections that do not fill a head",
      { ...flat3B, rope_scaling: { type: "mrope", mrope_section: [16, 24, 23] } },
      "rope_scaling.mrope_section: [16,24,23]",
    ],
    ["another rope", { ...flat3B, rope_scaling: { type: "yarn", factor: 4 } }, "rope_scaling.type: only"],
    ["a head size of its own", { ...flat3B, head_dim: 64 }, "head_dim: 64"],
    ["heads that do not divide", { ...flat3B, num_attention_heads: 15 }, "num_attention_heads: "],
    ["sliding windows", { ...flat3B, use_sliding_window: true }, "use_sliding_window: "],
    ["another activation", { ...flat3B, hidden_act: "gelu" }, "hidden_act: only"],
    ["quantization", { ...flat3B, quantization_config: { bits: 4 } }, "quantization_config: "],
    [
      "a vision width that does not fit",
      { ...flat3B, vision_config: { ...part(flat3B, "vision_config"), out_hidden_size: 2049 } },
      "vision_config.out_hidden_size: 2049",
    ],
    [
      "windows that cut cells",
      { ...flat3B, vision_config: { ...part(flat3B, "vision_config"), window_size: 100 } },
      "vision_config.window_size: 100",
    ],
    ["a token outside the vocabulary", { ...flat3B, image_token_id: 151936 }, "image_token_id: 151936"],
    ["tokens that are the same", { ...flat3B, image_token_id: 151656 }, "four different tokens"],
    ["no object", [] as unknown as Json, "not a JSON object"],
  ];
  test.each(faults)("refused: %s", (_, json, part) => {
    const message = messageOf(json);
    expect(message).toMatch(/^x\/config\.json: /);
    expect(message).toContain(part);
  });

  // As transformers, TRL, Unsloth and LLaMA-Factory leave it: a root that is stale or filled in with defaults.
  test.each<[string, Json, Json, (config: QwenVLConfig) => unknown, unknown]>([
    [
      "a vocabulary resized below",
      { vocab_size: 151_936 },
      { vocab_size: 152_000 },
      ({ text }) => text.vocabSize,
      152_000,
    ],
    ["a width filled in", { hidden_size: 8192, head_dim: 64 }, {}, ({ text }) => text.hiddenSize, 2048],
    ["layers filled in", { num_hidden_layers: 80 }, {}, ({ text }) => text.numHiddenLayers, 36],
    ["another epsilon", { rms_norm_eps: 1e-5 }, {}, ({ text }) => text.rmsNormEps, 1e-6],
    ["a rope filled in", { rope_theta: 1e4, rope_scaling: null }, {}, ({ text }) => text.ropeTheta, 1e6],
    ["windows switched on above", { use_sliding_window: true }, {}, ({ text }) => text.numHiddenLayers, 36],
    ["pad aligned above", { pad_token_id: 151_654 }, { pad_token_id: 151_643 }, ({ tokens }) => tokens.pad, 151_654],
    [
      "eos aligned above",
      { eos_token_id: [151_645, 151_643] },
      { eos_token_id: 151_643 },
      ({ tokens }) => tokens.eos,
      [151_645, 151_643],
    ],
    ["no eos above", { eos_token_id: null }, { eos_token_id: 151_645 }, ({ tokens }) => tokens.eos, [151_645]],
    ["no pad", { pad_token_id: -1 }, { pad_token_id: -1 }, ({ tokens }) => tokens.pad, undefined],
    [
      "tied below",
      { tie_word_embeddings: false },
      { tie_word_embeddings: true },
      ({ text }) => text.tieWordEmbeddings,
      true,
    ],
  ])("text_config shapes the model, the root names its tokens: %s", (_, root, text, field, right) => {
    const json = { ...nested(flat3B), ...root };
    expect(field(parseConfig({ ...json, text_config: { ...part(json, "text_config"), ...text } }))).toEqual(right);
  });

  test.each<Json>([
    { torch_dtype: null },
    { torch_dtype: "auto" },
    { torch_dtype: "torch.bfloat16" },
    { dtype: null },
    { rope_parameters: null },
    { text_config: null },
    { quantization_config: null },
    { tie_word_embeddings: true, use_sliding_window: null, hidden_act: null, layer_types: null, head_dim: null },
    { vision_config: { ...part(flat3B, "vision_config"), in_channels: null, window_size: null, rope_parameters: {} } },
    { audio_config: { depth: "?" }, vocab_file: 7 },
  ])("null is absent, what nothing depends on is not looked at: %j", (extra) => {
    expect(parseConfig({ ...flat3B, ...extra })).toEqual(knownConfigs["3B"]);
  });

  test("a missing file and a file that is no JSON are named", async () => {
    await expect(loadConfig("/nowhere")).rejects.toThrow("/nowhere/config.json: there is no such file");
  });

  test("fuzz: a mutated configuration is accepted with sound numbers or refused by us", () => {
    const values = fc.oneof(
      fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 40, "", "silu", [], {}, [1, 2, 3]),
      fc.jsonValue(),
    );
    const bases = [flat3B, nested(flat3B), nanoJson];
    const paths = bases.flatMap((base, at) =>
      Object.entries(base).flatMap(([key, value]) => [
        [at, key] as const,
        ...(typeof value === "object" && value !== null && !Array.isArray(value)
          ? Object.keys(value).map((inner) => [at, key, inner] as const)
          : []),
      ]),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom(...paths), values, fc.boolean(), ([at, key, inner], value, remove) => {
        const json = structuredClone(bases[at]!);
        const target: Json = inner === undefined ? json : part(json, key);
        if (remove) delete target[inner ?? key];
        else target[inner ?? key] = value;
        let config: ReturnType<typeof parseConfig>;
        try {
          config = parseConfig(json);
        } catch (error) {
          expect(error).toBeInstanceOf(QwenVLError);
          return;
        }
        accepted++;
        const { text } = config;
        const vision = config.vision as Qwen25VisionConfig;
        expect(text.headDim * text.numAttentionHeads).toBe(text.hiddenSize);
        expect(2 * text.mropeSection.reduce((a, b) => a + b)).toBe(text.headDim);
        expect(vision.fullAttentionBlocks.every((block) => block < vision.depth)).toBe(true);
        expect(
          tensorTable(config).every(({ shape }) => shape.every((size) => Number.isInteger(size) && size > 0)),
        ).toBe(true);
      }),
      { numRuns: process.env.IAPO_FULL === "1" ? 10_000 : 300 },
    );
    expect(accepted).toBeGreaterThan(0);
  });
});

describe("tensor table", () => {
  // Counts from shapes; those of 3B agree with published model summaries (docs/qwen2.5-vl.md "Tensors").
  test.each([
    ["3B", 824, 3_754_622_976],
    ["7B", 729, 8_292_166_656],
    ["32B", 1161, 33_452_718_336],
    ["72B", 1353, 73_410_777_344],
    ["mini", 165, 4_849_408],
    ["nano", 92, 294_736],
  ] as const)("%s has %i tensors and %i parameters", (name, count, parameters) => {
    const table = tensorTable(knownConfigs[name]);
    expect(table.length).toBe(count);
    expect(new Set(table.map((tensor) => tensor.name)).size).toBe(count);
    expect(table.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(parameters);
  });

  test("a real checkpoint matches; old and newer names both do", async () => {
    await using reader = await openSafetensors(nanoDirectory);
    const tensors = [...reader.tensors.values()];
    const matched = matchTensors(knownConfigs.nano, tensors);
    expect([...matched.keys()]).toEqual(tensorTable(knownConfigs.nano).map(({ name }) => name));
    const renamed = tensors.map((tensor) => ({
      ...tensor,
      name: tensor.name.startsWith("visual.")
        ? `model.${tensor.name}`
        : tensor.name.replace(/^model\./, "model.language_model."),
    }));
    expect(renamed.every(({ name }, i) => publishedName(name) === tensors[i]!.name)).toBe(true);
    expect([...matchTensors(knownConfigs.nano, renamed).keys()]).toEqual([...matched.keys()]);
    const head = { ...tensors[0]!, name: "lm_head.weight", shape: [512, 64] };
    expect(matchTensors(knownConfigs.nano, [...tensors, head]).has("lm_head.weight")).toBe(false);

    const faults: [typeof tensors, string][] = [
      [tensors.slice(1), "is missing"],
      [[...tensors, { ...tensors[0]!, name: "model.layers.3.mlp.up_proj.weight" }], "belongs to no part"],
      [tensors.with(0, { ...tensors[0]!, shape: [1, 2] }), "has shape [1,2] instead of"],
      [tensors.with(0, { ...tensors[0]!, dtype: "I8" }), "is I8; convert"],
      [[...tensors, renamed[5]!], "is there twice"],
    ];
    for (const [changed, part] of faults) {
      expect(() => matchTensors(knownConfigs.nano, changed)).toThrow(part);
    }
  });
});

test("generation_config.json is read, from the published values to none", async () => {
  const published = {
    bos_token_id: 151643,
    pad_token_id: 151643,
    eos_token_id: [151645, 151643],
    do_sample: true,
    temperature: 1e-6,
    repetition_penalty: 1.05,
  };
  expect(parseGenerationConfig(published)).toMatchObject({
    eosTokenIds: [151645, 151643],
    temperature: 1e-6,
    repetitionPenalty: 1.05,
    topP: undefined,
  });
  expect((await loadGenerationConfig(nanoDirectory)).eosTokenIds).toEqual([1]);
  expect((await loadGenerationConfig("/nowhere")).eosTokenIds).toEqual([]);
  expect(() => parseGenerationConfig({ top_p: 2 }, "g.json")).toThrow("g.json: top_p: ");
  // None, as vLLM and transformers write it; and the one id that a top_p of 0 leaves.
  expect(parseGenerationConfig({ top_k: -1 }).topK).toBe(undefined);
  expect(parseGenerationConfig({ top_k: 0, top_p: 1 })).toMatchObject({ topK: undefined, topP: 1 });
  expect(parseGenerationConfig({ top_k: 50, top_p: 0 })).toMatchObject({ topK: 1, topP: undefined });
});

test("preprocessor_config.json: limits, precedence and what is refused", () => {
  const model = knownConfigs["3B"];
  expect(parsePreprocessorConfig({}, model)).toMatchObject({ minPixels: 3136, maxPixels: 1_003_520 });
  const size = { shortest_edge: 4096, longest_edge: 8192 };
  expect(parsePreprocessorConfig({ size }, model)).toMatchObject({ minPixels: 4096, maxPixels: 8192 });
  expect(parsePreprocessorConfig({ size, max_pixels: 12_845_056 }, model).maxPixels).toBe(12_845_056);
  expect(() => parsePreprocessorConfig({ patch_size: 16 }, model, "p.json")).toThrow(
    "p.json: patch_size: 16 is not the model's 14",
  );
  const inSize = { min_pixels: 3136, max_pixels: 50_176 };
  expect(parsePreprocessorConfig({ size: inSize }, model)).toMatchObject({ minPixels: 3136, maxPixels: 50_176 });
  const nulls = { image_mean: null, image_std: null, rescale_factor: null, size: null, max_pixels: null };
  expect(parsePreprocessorConfig(nulls, model)).toEqual(parsePreprocessorConfig({}, model));
  for (const other of [{ height: 224, width: 224 }, { shortest_edge: 224, width: 1 }, 224, [224, 224]]) {
    expect(() => parsePreprocessorConfig({ size: other }, model, "p.json")).toThrow("p.json: size: expected areas");
  }
  expect(() => parsePreprocessorConfig({ resample: 2 }, model)).toThrow("resample: only 3");
  expect(() => parsePreprocessorConfig({ do_resize: false }, model)).toThrow("do_resize");
  expect(() => parsePreprocessorConfig({ min_pixels: 9, max_pixels: 8 }, model)).toThrow("min_pixels: 9 is more");
});

test("processor_config.json, all that transformers 5 writes, is read, and wins over an older file", async () => {
  const model = knownConfigs["3B"];
  using directory = temporaryDirectory();
  const write = (name: string, json: Json) => writeFileSync(`${directory.path}/${name}`, JSON.stringify(json));
  const image_processor = { patch_size: 14, size: { shortest_edge: 3136, longest_edge: 50_176 } };
  write("processor_config.json", { processor_class: "Qwen2_5_VLProcessor", image_processor });
  expect((await loadPreprocessorConfig(directory.path, model)).maxPixels).toBe(50_176);
  write("preprocessor_config.json", { max_pixels: 12_845_056 });
  expect((await loadPreprocessorConfig(directory.path, model)).maxPixels).toBe(50_176);
  write("processor_config.json", { processor_class: "Qwen2_5_VLProcessor" });
  expect((await loadPreprocessorConfig(directory.path, model)).maxPixels).toBe(12_845_056);
  write("processor_config.json", { image_processor: { ...image_processor, patch_size: 16 } });
  const wrong = "processor_config.json: image_processor: patch_size: 16 is not the model's 14";
  await expect(loadPreprocessorConfig(directory.path, model)).rejects.toThrow(wrong);
});

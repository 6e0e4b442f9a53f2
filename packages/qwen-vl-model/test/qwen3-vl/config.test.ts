// Configurations and tensors of Qwen3-VL: the published facts, what other writers make of them, and what is refused by name.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type KnownConfigName,
  knownConfigs,
  loadConfig,
  matchTensors,
  parseConfig,
  tensorTable,
  writeConfig,
} from "../../src/config.ts";
import { familyOf } from "../../src/families/registry.ts";
import { qwen3Directory } from "../support/qwen3-vl.ts";
import { temporaryDirectory } from "../support/temporary.ts";

type Json = Record<string, unknown>;
const published: Record<string, Json> = JSON.parse(readFileSync(join(qwen3Directory, "published.json"), "utf8"));

function changed(
  size: string,
  { root = {}, text = {}, vision = {} }: { root?: Json; text?: Json; vision?: Json },
): Json {
  const json = published[size]!;
  return {
    ...json,
    ...root,
    text_config: { ...(json.text_config as Json), ...text },
    vision_config: { ...(json.vision_config as Json), ...vision },
  };
}

describe("config.json", () => {
  test.each(["2B", "4B", "8B"])(
    "%s as published: the known configuration, and pad from generation_config.json",
    async (size) => {
      const known = knownConfigs[`qwen3-vl-${size}` as KnownConfigName];
      expect(parseConfig(published[size])).toEqual({ ...known, tokens: { ...known.tokens, pad: undefined } });
      using directory = temporaryDirectory();
      const write = (name: string, json: unknown) => writeFileSync(join(directory.path, name), JSON.stringify(json));
      write("config.json", published[size]);
      write("generation_config.json", { bos_token_id: 151643, pad_token_id: 151643, eos_token_id: [151645, 151643] });
      expect(await loadConfig(directory.path)).toEqual(known);
      expect(parseConfig(writeConfig(known))).toEqual(known);
    },
  );

  test("as transformers 5 writes it: rope_parameters in place of theta and scaling", () => {
    const { rope_scaling, rope_theta, ...text } = published["8B"]!.text_config as Json;
    const rope_parameters = { ...(rope_scaling as Json), rope_theta };
    const json = { ...published["8B"], text_config: { ...text, rope_parameters, pad_token_id: null } };
    expect(parseConfig(json)).toEqual(parseConfig(published["8B"]));
  });

  test("the root says whether the head is tied; text_config only where the root is silent", () => {
    const tied = (root: Json, text: Json) => parseConfig(changed("8B", { root, text })).text.tieWordEmbeddings;
    expect(tied({}, { tie_word_embeddings: true })).toBe(false);
    expect(tied({ tie_word_embeddings: true }, { tie_word_embeddings: false })).toBe(true);
    expect(tied({ tie_word_embeddings: null }, { tie_word_embeddings: true })).toBe(true);
    expect(tied({ tie_word_embeddings: null }, {})).toBe(false);
  });

  const rope = (more: Json) => ({ rope_scaling: { rope_type: "default", mrope_section: [24, 20, 20], ...more } });
  test.each<[string, Parameters<typeof changed>[1], string]>([
    ["rope scaling", { text: rope({ rope_type: "yarn", factor: 2 }) }, "rope_scaling.rope_type: only"],
    ["sections one after another", { text: rope({ mrope_interleaved: false }) }, "mrope_interleaved: only true"],
    ["sections that would be cut off", { text: rope({ mrope_section: [16, 22, 26] }) }, "every third frequency"],
    ["sections that do not fill a head", { text: rope({ mrope_section: [24, 20, 21] }) }, "does not add up"],
    ["an odd head", { text: { head_dim: 127 } }, "text_config.head_dim: 127 is not even"],
    ["biases", { text: { attention_bias: true } }, "text_config.attention_bias: only false"],
    ["a tap behind the last block", { vision: { deepstack_visual_indexes: [8, 16, 27] } }, "would never run"],
    ["taps out of order", { vision: { deepstack_visual_indexes: [16, 8] } }, "ascending"],
    ["more features than layers", { text: { num_hidden_layers: 2 } }, "3 features for 2 layers"],
    ["a table that is no square", { vision: { num_position_embeddings: 2300 } }, "2300 is no square"],
    ["another activation", { vision: { hidden_act: "gelu" } }, 'only "gelu_pytorch_tanh"'],
    ["another width", { vision: { out_hidden_size: 3584 } }, "3584 is not the hidden_size 4096"],
    ["quantized", { root: { quantization_config: {} } }, "quantized checkpoints"],
  ])("refused: %s", (_, change, message) => {
    expect(() => parseConfig(changed("8B", change))).toThrow(message);
  });

  test("a file without text_config, and a model of a third family, are refused", () => {
    const { text_config: _, ...flat } = published["8B"]!;
    expect(() => parseConfig(flat)).toThrow("text_config: expected an object");
    expect(() => parseConfig(changed("8B", { root: { model_type: "qwen3_vl_moe" } }))).toThrow(
      'model_type: only "qwen2_5_vl" and "qwen3_vl" are supported, not "qwen3_vl_moe"',
    );
  });
});

describe("tensors", () => {
  // The totals are the hub's own (docs/qwen3-vl.md "Tensors").
  test.each([
    ["2B", 625, 2_127_532_032],
    ["4B", 713, 4_437_815_808],
    ["8B", 750, 8_767_123_696],
    ["32B", 1058, 33_357_390_064],
    ["mini", 146, 3_674_296],
    ["nano", 132, 283_244],
  ] as const)("%s has %i tensors and %i parameters", (name, count, parameters) => {
    const table = tensorTable(knownConfigs[`qwen3-vl-${name}`]);
    expect(new Set(table.map((tensor) => tensor.name)).size).toBe(count);
    expect(table.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(parameters);
  });

  test("published names and those of a bare model both match; a head that is missing does not", () => {
    const config = knownConfigs["qwen3-vl-mini"];
    const infos = (rename: (name: string) => string) =>
      tensorTable(config).map(({ name, shape }) => ({
        ...{ name: rename(name), shape, dtype: "BF16", file: "model.safetensors" },
        ...{ byteLength: 0, byteOffset: 0 },
      })) as unknown as Parameters<typeof matchTensors>[1];
    const { checkpointName } = familyOf(config);
    const all = tensorTable(config).map(({ name }) => name);
    expect([...matchTensors(config, infos(checkpointName)).keys()]).toEqual(all);
    const bare = (name: string) => checkpointName(name).replace(/^model\./, "");
    expect([...matchTensors(config, infos(bare)).keys()]).toEqual(all);
    const headless = [...infos(checkpointName)].filter(({ name }) => name !== "lm_head.weight");
    expect(() => matchTensors(config, headless)).toThrow("lm_head.weight [600,96] is missing");
  });
});

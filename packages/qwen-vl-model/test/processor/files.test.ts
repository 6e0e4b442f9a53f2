// The small files around a checkpoint as editors, clones and browsers leave them: other encodings, pointers, pages, other forms.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { knownConfigs, parseConfig, parseGenerationConfig, writeConfig } from "../../src/config.ts";
import { chatTemplate } from "../../src/families/qwen2-5-vl/chat-template.ts";
import { loadProcessor } from "../../src/processor/index.ts";
import { byteTokenizer } from "../support/byte-tokenizer.ts";

const config = writeConfig(knownConfigs.nano);
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "files-"));
  write("config.json", config);
  write("tokenizer.json", byteTokenizer());
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(name: string, content: unknown): void {
  const isRaw = typeof content === "string" || content instanceof Uint8Array;
  writeFileSync(join(directory, name), isRaw ? content : JSON.stringify(content));
}

async function prompt(): Promise<string> {
  const processor = await loadProcessor(directory);
  return processor.tokenizer.decode(processor.encodeChat([{ role: "user", content: "hi\n" }]).tokens);
}

test("a byte order mark is no part of a file", async () => {
  const before = await prompt();
  write("chat_template.jinja", `\ufeff${chatTemplate}`);
  write("config.json", `\ufeff${JSON.stringify(config)}`);
  expect(await prompt()).toBe(before);
});

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
test.each<[string, unknown, string]>([
  ["chat_template.jinja", Buffer.from(`é${chatTemplate}`, "latin1"), "chat_template.jinja: not UTF-8"],
  ["chat_template.jinja", Buffer.from(`\ufeff${chatTemplate}`, "utf16le"), "chat_template.jinja: not UTF-8"],
  ["tokenizer.json", pointer, "tokenizer.json: a Git LFS pointer"],
  ["chat_template.jinja", pointer, "chat_template.jinja: a Git LFS pointer"],
  ["config.json", "<!DOCTYPE html><html></html>", "config.json: a page that was saved in its place"],
  ["chat_template.json", '"{{ messages }}"', "chat_template.json: not a JSON object"],
  ["tokenizer_config.json", [], "tokenizer_config.json: not a JSON object"],
  ["processor_config.json", [], "processor_config.json: not a JSON object"],
  ["processor_config.json", { image_processor: [] }, "processor_config.json: image_processor"],
  ["chat_template.jinja", "Hello", "chat_template.jinja: it leaves out the text of block 0"],
  ["tokenizer_config.json", { chat_template: "chat_template.jinja" }, "it leaves out the text of block 0"],
  ["generation_config.json", { eos_token_id: [1, 99_999] }, "generation_config.json: eos_token_id: 99999 is not below"],
])("%s, %#: %s", async (name, content, message) => {
  write(name, content);
  await expect(prompt()).rejects.toThrow(message);
});

test("a chat template in processor_config.json comes before the tokenizer's", async () => {
  const mine = (mark: string): string =>
    `{% for m in messages %}${mark}{% for p in m.content %}{{ p.text }}{% endfor %}<|im_end|>{% endfor %}`;
  write("tokenizer_config.json", { chat_template: mine("T") });
  expect(await prompt()).toBe("Thi\n<|im_end|>");
  write("processor_config.json", { chat_template: mine("P") });
  expect(await prompt()).toBe("Phi\n<|im_end|>");
});

const rope = (more: object): object => ({ ...config, rope_scaling: { ...(config.rope_scaling as object), ...more } });
test.each([
  [rope({ factor: 4 }), "rope_scaling.factor: only 1 is supported"],
  [rope({ partial_rotary_factor: 0.5 }), "rope_scaling.partial_rotary_factor: only 1"],
  [rope({ attention_factor: 2 }), "rope_scaling.attention_factor: only 1"],
  [{ ...config, partial_rotary_factor: 0.25 }, "partial_rotary_factor: only 1"],
  [{ ...config, compression_config: {} }, "quantized checkpoints are not supported"],
  [{ ...config, text_config: { ...config, quantization_config: { bits: 4 } } }, "text_config.quantization_config"],
])("a field that would change the model is refused by its name: %#", (json, message) => {
  expect(() => parseConfig(json)).toThrow(message);
});

test("the same fields, where they change nothing, are read", () => {
  expect(parseConfig(rope({ factor: 1, partial_rotary_factor: null }))).toEqual(parseConfig(config));
});

test("settings of generation_config.json that are not supported are named, those that are off are none", () => {
  const unsupported = (json: object) => parseGenerationConfig(json).unsupported;
  expect(unsupported({ num_beams: 4, no_repeat_ngram_size: 3, stop_strings: ["x"] })).toEqual([
    "num_beams: 4",
    "no_repeat_ngram_size: 3",
    'stop_strings: ["x"]',
  ]);
  const off = { num_beams: 1, min_p: null, typical_p: 1, no_repeat_ngram_size: 0, bad_words_ids: [], use_cache: true };
  expect(unsupported(off)).toEqual([]);
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readImage } from "@iapo/visual-tools/sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs, writeConfig } from "../../src/config.ts";
import { chatTemplate } from "../../src/families/qwen2-5-vl/chat-template.ts";
import { loadProcessor, Tokenizer } from "../../src/processor/index.ts";
import { byteTokenizer } from "../support/byte-tokenizer.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "processor-"));
  writeFileSync(join(directory, "config.json"), JSON.stringify(writeConfig(knownConfigs.nano)));
  writeFileSync(join(directory, "tokenizer.json"), JSON.stringify(byteTokenizer()));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a checkpoint directory becomes a processor: from file and image to tokens and patches", async () => {
  const plain = await loadProcessor(directory);
  expect(plain.preprocessor).toMatchObject({ minPixels: 3136, maxPixels: 1_003_520 });
  const image = await readImage(new URL("../fixtures/image-processor/inputs/chart_v.png", import.meta.url).pathname);
  const chat = plain.encodeChat([{ role: "user", content: [{ image }, { text: "What is the value of 2019?\n" }] }]);
  const { values, grid } = plain.processImage(image);
  expect(chat.grids).toEqual([grid]);
  expect(chat.tokens.filter((token) => token === 7).length * 4 * 48).toBe(values.length);
  expect(plain.tokenizer.decode(chat.tokens.filter((_, i) => chat.blocks[i] === 1))).toBe(
    "What is the value of 2019?\n",
  );

  writeFileSync(
    join(directory, "preprocessor_config.json"),
    JSON.stringify({ min_pixels: 3136, max_pixels: 12_845_056 }),
  );
  expect((await loadProcessor(directory)).preprocessor.maxPixels).toBe(12_845_056);
  expect((await loadProcessor(directory, { maxPixels: 1568 })).preprocessor).toMatchObject({
    minPixels: 1568,
    maxPixels: 1568,
  });
});

test("the chat template is found in each place, the later written winning over the older", async () => {
  const rendered = async (): Promise<string> =>
    (await loadProcessor(directory)).chatTemplate.render([{ role: "user", content: "x" }]);
  const standard = await rendered();
  const write = (name: string, content: unknown): void => {
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  };
  write("tokenizer_config.json", { chat_template: "tokenizer_config" });
  expect(await rendered()).toBe("tokenizer_config");
  write("chat_template.json", { chat_template: "json" });
  expect(await rendered()).toBe("json");
  write("chat_template.jinja", chatTemplate);
  expect(await rendered()).toBe(standard);
});

test("missing and broken files are named", async () => {
  const empty = mkdtempSync(join(tmpdir(), "processor-"));
  try {
    await expect(loadProcessor(empty)).rejects.toThrow("config.json: there is no such file");
    writeFileSync(join(empty, "config.json"), JSON.stringify(writeConfig(knownConfigs["3B"])));
    await expect(loadProcessor(empty)).rejects.toThrow("tokenizer.json: there is no such file");
    writeFileSync(join(empty, "tokenizer.json"), "{");
    await expect(loadProcessor(empty)).rejects.toThrow("tokenizer.json: not JSON");
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
});

test("named templates and named tokens are read as Hugging Face writes them; what is not known is refused by its file", async () => {
  const at = (name: string): string => join(directory, name);
  const mine = (end: string): string =>
    `{% for m in messages %}<|im_start|>MINE {{ m.role }}\n{% for p in m.content %}{{ p.text }}{% endfor %}${end}\n{% endfor %}`;
  const rendered = async (config: object): Promise<string> => {
    writeFileSync(at("tokenizer_config.json"), JSON.stringify(config));
    const processor = await loadProcessor(directory);
    return processor.tokenizer.decode(processor.encodeChat([{ role: "user", content: "hi\n" }]).tokens);
  };
  for (const name of ["chat_template.jinja", "chat_template.json"]) rmSync(at(name), { force: true });
  const expected = "<|im_start|>MINE user\nhi\n<|im_end|>\n";
  const named = [
    { name: "tool_use", template: "TOOLS" },
    { name: "default", template: mine("<|im_end|>") },
  ];
  expect(await rendered({ chat_template: named })).toBe(expected);
  expect(await rendered({ chat_template: { default: mine("<|im_end|>") } })).toBe(expected);
  const tokens = { eos_token: { content: "<|im_end|>", special: true }, bos_token: null };
  expect(await rendered({ ...tokens, chat_template: mine("{{ '' + eos_token }}") })).toBe(expected);
  await expect(rendered({ chat_template: [{ name: "tool_use", template: "x" }] })).rejects.toThrow(
    'tokenizer_config.json: chat_template: expected a text, or named texts of which one is "default"; there is "tool_use"',
  );
  for (const form of [7, [3], {}]) await expect(rendered({ chat_template: form })).rejects.toThrow("expected a text");
  writeFileSync(at("chat_template.jinja"), "");
  await expect(rendered({})).rejects.toThrow("chat_template.jinja: it is empty");
  rmSync(at("chat_template.jinja"));
  expect(await rendered({ chat_template: null })).toContain("You are a helpful assistant.");
});

test("the tokens that end a response: those of both configurations, else the tokenizer's, else none, which is refused", async () => {
  const config = writeConfig(knownConfigs.nano);
  const stopIds = async (eos: unknown, generation: unknown, tokenizer: object): Promise<readonly number[]> => {
    writeFileSync(join(directory, "config.json"), JSON.stringify({ ...config, eos_token_id: eos }));
    writeFileSync(join(directory, "generation_config.json"), JSON.stringify({ eos_token_id: generation }));
    writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(tokenizer));
    return (await loadProcessor(directory)).stopIds;
  };
  try {
    expect(await stopIds(1, [2, 0], {})).toEqual([1, 2, 0]);
    expect(await stopIds(1, 1, {})).toEqual([1]);
    expect(await stopIds(undefined, [2, 0], {})).toEqual([2, 0]);
    expect(await stopIds([1, 0], undefined, { eos_token: "<|im_start|>" })).toEqual([1, 0]);
    expect(await stopIds(undefined, undefined, { eos_token: "<|im_end|>" })).toEqual([1]);
    await expect(stopIds(undefined, undefined, {})).rejects.toThrow("name no token that ends a response");
  } finally {
    writeFileSync(join(directory, "config.json"), JSON.stringify(config));
    for (const name of ["generation_config.json", "tokenizer_config.json"]) rmSync(join(directory, name));
  }
});

test.each([Number.NaN, -5, 0, 1.5, "50176", 2 ** 40])("maxPixels %s is refused", async (maxPixels) => {
  await expect(loadProcessor(directory, { maxPixels: maxPixels as number })).rejects.toThrow(
    "maxPixels: expected a whole number from 1 to",
  );
});

test("a decoder may be a sequence of the one that is needed, no other", () => {
  const json = byteTokenizer() as { decoder: unknown };
  const decoded = (decoder: unknown): string => {
    const tokenizer = new Tokenizer({ ...json, decoder });
    return tokenizer.decode(tokenizer.encode("Bär 👩"));
  };
  expect(decoded({ type: "Sequence", decoders: [json.decoder] })).toBe("Bär 👩");
  for (const decoder of [
    null,
    { type: "WordPiece" },
    { type: "Sequence", decoders: [json.decoder, { type: "Strip" }] },
  ]) {
    expect(() => decoded(decoder)).toThrow("decoder: expected ByteLevel: only byte-level tokenizers are supported");
  }
});

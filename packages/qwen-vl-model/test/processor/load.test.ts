import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readImage } from "@iapo/visual-tools/sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs, writeConfig } from "../../src/config.ts";
import { DEFAULT_CHAT_TEMPLATE, loadProcessor } from "../../src/processor/index.ts";
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
  expect(chat.tokens.filter((token) => token === 7).length * 4 * 96).toBe(values.length);
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
  write("chat_template.jinja", DEFAULT_CHAT_TEMPLATE);
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

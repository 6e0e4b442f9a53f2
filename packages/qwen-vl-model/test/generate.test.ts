// The package as most people use it: a directory becomes a model that answers a conversation as a stream of text.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, openDevice } from "@iapo/tensor-core";
import { readImage } from "@iapo/visual-tools/sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs } from "../src/config.ts";
import { exportModel, initializeWeights, loadModel, type Message, type QwenVL, QwenVLModel } from "../src/index.ts";
import { byteTokenizer } from "./support/byte-tokenizer.ts";

let device: Device;
let folder: string;
let model: QwenVL;
let messages: Message[];

beforeAll(async () => {
  device = await openDevice();
  folder = mkdtempSync(join(tmpdir(), "generate-"));
  const config = knownConfigs.nano;
  const untrained = new QwenVLModel(config, initializeWeights(device, config, [3, 4], { deviation: 0.1 }));
  await exportModel(untrained, join(folder, "model"));
  untrained.dispose();
  writeFileSync(join(folder, "model", "tokenizer.json"), JSON.stringify(byteTokenizer()));
  writeFileSync(
    join(folder, "model", "generation_config.json"),
    JSON.stringify({ eos_token_id: [1], do_sample: true, temperature: 1 }),
  );
  const loaded: number[] = [];
  model = await loadModel(device, join(folder, "model"), {
    maxPixels: 4096,
    onProgress: ({ loadedBytes, totalBytes }) => loaded.push(loadedBytes / totalBytes),
  });
  expect(loaded.at(-1)).toBe(1);
  expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
  const image = await readImage(new URL("./fixtures/image-processor/inputs/chart_v.png", import.meta.url).pathname);
  messages = [{ role: "user", content: [{ image }, { text: "What is the value of 2019?\n" }] }];
});
afterAll(() => {
  model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
  rmSync(folder, { recursive: true });
});

async function answer(options: Parameters<QwenVL["generate"]>[1]): Promise<{ text: string; pieces: number }> {
  let text = "";
  let pieces = 0;
  for await (const piece of model.generate(messages, options)) {
    text += piece;
    pieces++;
  }
  return { text, pieces };
}

test("an answer comes in pieces, is a function of its seed, and never longer than asked", async () => {
  const first = await answer({ seed: 1, maxTokens: 40 });
  expect(first.pieces).toBeGreaterThan(1);
  expect(new TextEncoder().encode(first.text.replaceAll("\uFFFD", "")).length).toBeLessThanOrEqual(40);
  expect((await answer({ seed: 1, maxTokens: 40 })).text).toBe(first.text);
  expect((await answer({ seed: 2, maxTokens: 40 })).text).not.toBe(first.text);
  expect((await answer({ seed: 1, maxTokens: 40, temperature: 0 })).text).toBe(
    (await answer({ seed: 2, maxTokens: 40, temperature: 0 })).text,
  );
});

test("a stop text ends the answer with the token that completes it", async () => {
  const { text } = await answer({ seed: 1, maxTokens: 60 });
  const stop = text.replaceAll("\uFFFD", "").at(-1)!;
  const cut = (await answer({ seed: 1, maxTokens: 60, stop: [stop] })).text;
  expect(cut.endsWith(stop)).toBe(true);
  expect(cut.indexOf(stop)).toBe(cut.length - stop.length);
  expect(text.startsWith(cut)).toBe(true);
});

test("leaving the loop, or a signal, stops the work and frees what it held", async () => {
  const live = device.memory().liveBytes;
  for await (const piece of model.generate(messages, { maxTokens: 4000 })) {
    expect(piece).not.toBe("");
    break;
  }
  expect(device.memory().liveBytes).toBe(live);
  const leave = new AbortController();
  leave.abort(new Error("enough"));
  await expect(answer({ signal: leave.signal })).rejects.toThrow("enough");
  expect(device.memory().liveBytes).toBe(live);
});

test("settings of generation_config.json that are not supported end a generation, and not the loading", async () => {
  const directory = join(folder, "model");
  const file = join(directory, "generation_config.json");
  const before = readFileSync(file);
  try {
    writeFileSync(file, JSON.stringify({ eos_token_id: [1], num_beams: 4 }));
    using loaded = await loadModel(device, directory, { maxPixels: 4096 });
    await expect(loaded.generate(messages, { maxTokens: 2 }).next()).rejects.toThrow(
      "generation_config.json: num_beams: 4: not supported",
    );
  } finally {
    writeFileSync(file, before);
  }
});

test("a directory that holds no model is told as such", async () => {
  await expect(loadModel(device, folder)).rejects.toMatchObject({ name: "QwenVLError", code: "config" });
});

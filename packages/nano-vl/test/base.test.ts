// The nano model's files: what they say, how many tokens an episode takes, and that nothing is lost in tokenizing.
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor, type Processor } from "@iapo/qwen-vl-model/processor";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts, demonstrate, type NanoCharts } from "@iapo/vqa-tasks/nano";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { baseDirectory } from "../src/index.ts";

let processor: Processor;
let charts: NanoCharts;
beforeAll(async () => {
  processor = await loadProcessor(baseDirectory);
  charts = await createNanoCharts({ names: "words" });
});

test("the tokenizer fills the model's vocabulary, and special tokens have Qwen's roles", async () => {
  const { text, tokens } = await loadConfig(baseDirectory);
  expect(processor.tokenizer.size).toBe(text.vocabSize);
  const special = processor.tokenizer.specialTokens;
  const named = {
    "<|im_end|>": tokens.eos[0],
    "<|vision_start|>": tokens.visionStart,
    "<|vision_end|>": tokens.visionEnd,
    "<|image_pad|>": tokens.image,
    "<|video_pad|>": tokens.video,
    "<|endoftext|>": tokens.pad,
  };
  for (const [token, id] of Object.entries(named)) expect(special.get(token), token).toBe(id);
});

test("a bar's name of one word is one token, the same in a list, in a question and in a program", async () => {
  const { names } = await createNanoCharts({ names: "words" });
  const all = [...names.train, ...names.validation, ...names.test];
  expect(all.length).toBeGreaterThan(200);
  for (const name of all) {
    const [id, ...more] = processor.tokenizer.encode(name);
    expect(more, name).toEqual([]);
    for (const text of [`["${name}", "Other"]`, `Is ${name} over 50?`, `(image_1, ["${name}"], rows_bbox)`]) {
      expect(processor.tokenizer.encode(text), text).toContain(id);
    }
  }
});

test("any text survives", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
      const normal = text.toWellFormed().normalize("NFC");
      expect(processor.tokenizer.decode(processor.tokenizer.encode(normal))).toBe(normal);
    }),
  );
});

test("a tool's name is one token, the same where it is defined and where it is called", () => {
  for (const axis of ["rows", "columns"]) {
    const name = `focus_on_${axis}_with_mask`;
    const [id] = processor.tokenizer.encode(name);
    expect(processor.tokenizer.decode([id!])).toBe(name);
    expect(processor.tokenizer.encode(`display(${name}(image_1`)).toContain(id);
    expect(processor.tokenizer.encode(`\n${name} (image_1`)).toContain(id);
  }
});

test("an episode is short: the shared instructions, the chart, the question and the program", async () => {
  const environment = createEnvironment({ options: { prompt: "compact" } });
  const lengths = { instructions: 0, image: 0, question: 0, program: 0 };
  for (let i = 0; i < 20; i++) {
    const { task, turns } = await demonstrate(charts, "validation", i);
    const blocks = environment.prompt(task);
    const content = blocks.map((block) => ("text" in block ? { text: block.text } : { image: block.image }));
    const chat = processor.encodeChat([{ role: "user", content }]);
    const query = blocks.findIndex((block) => block.kind === "query");
    const image = blocks.findIndex((block) => block.kind === "image");
    lengths.instructions = Math.max(
      lengths.instructions,
      chat.blocks.filter((block) => block >= 0 && block < image).length,
    );
    lengths.image = Math.max(lengths.image, chat.blocks.filter((block) => block === image).length);
    lengths.question = Math.max(lengths.question, chat.blocks.filter((block) => block === query).length);
    lengths.program = Math.max(lengths.program, processor.tokenizer.encode(turns[0]!).length);
  }
  expect(lengths.image).toBe(16);
  expect(lengths.instructions).toBeLessThanOrEqual(100);
  expect(lengths.question).toBeLessThanOrEqual(30);
  expect(lengths.program).toBeLessThanOrEqual(20);
});

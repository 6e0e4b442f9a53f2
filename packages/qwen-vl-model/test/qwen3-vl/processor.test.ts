// Pictures and conversations as Qwen3-VL sees them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readImage } from "@iapo/visual-tools/sharp";
import { describe, expect, test } from "vitest";
import { knownConfigs, parsePreprocessorConfig } from "../../src/config.ts";
import { bannedIdsOf } from "../../src/generation/banned.ts";
import { repeatFrames } from "../../src/processor/frames.ts";
import { imageGrid, Processor, processImage, smartResize } from "../../src/processor/index.ts";
import { tokenizer } from "../processor/qwen.ts";
import { qwen3Directory } from "../support/qwen3-vl.ts";

const config = knownConfigs["qwen3-vl-8B"];
const defaults = parsePreprocessorConfig({}, config);
const processor = new Processor({ config, preprocessor: defaults, tokenizer });

describe("pictures", () => {
  test("limits and values where the files say nothing", () => {
    expect(defaults).toMatchObject({
      minPixels: 65_536,
      maxPixels: 16_777_216,
      patchSize: 16,
      imageMean: [0.5, 0.5, 0.5],
    });
    const size = { shortest_edge: 65_536, longest_edge: 1_310_720 };
    expect(parsePreprocessorConfig({ size, patch_size: 16 }, config).maxPixels).toBe(1_310_720);
    expect(() => parsePreprocessorConfig({ patch_size: 14 }, config)).toThrow("14 is not the model's 16");
  });

  test.each([
    [480, 640, 16_777_216, 480, 640],
    [1080, 1920, 16_777_216, 1088, 1920],
    [3000, 4000, 16_777_216, 3008, 4000],
    [32, 32, 16_777_216, 256, 256],
    [80, 112, 16_777_216, 224, 320],
    [48, 80, 16_777_216, 224, 352],
    [100, 37, 16_777_216, 448, 160],
    [480, 640, 262_144, 416, 576],
    [1080, 1920, 1_310_720, 832, 1504],
    [3000, 4000, 1_003_520, 864, 1152],
  ])("%i x %i pixels within %i become %i x %i", (height, width, maxPixels, h, w) => {
    expect(smartResize({ height, width }, { factor: 32, minPixels: 65_536, maxPixels })).toEqual({
      height: h,
      width: w,
    });
    expect(imageGrid({ height, width }, { ...defaults, maxPixels })).toEqual([1, h / 16, w / 16]);
  });

  interface Case {
    readonly image: string;
    readonly min_pixels: number;
    readonly max_pixels: number;
    readonly grid: readonly number[];
    readonly sha256: string;
  }
  const cases: Case[] = JSON.parse(readFileSync(join(qwen3Directory, "images.json"), "utf8"));
  test.each(cases)("$image within $min_pixels to $max_pixels: the published patches, to the bit", async (item) => {
    const image = await readImage(join(qwen3Directory, "../image-processor/inputs", item.image), { keepAlpha: true });
    const own = { ...defaults, minPixels: item.min_pixels, maxPixels: item.max_pixels };
    const patches = processImage(image, own);
    expect(patches.grid).toEqual(item.grid);
    const values = repeatFrames(patches, 2, 256);
    expect(createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex")).toBe(item.sha256);
  });
});

describe("conversations", () => {
  const image = { width: 256, height: 256 };
  const pads = `<|vision_start|>${"<|image_pad|>".repeat(64)}<|vision_end|>`;
  const text = (messages: Parameters<Processor["encodeChat"]>[0]) =>
    tokenizer.decode(processor.encodeChat(messages).tokens);

  test("nothing stands in place of a missing system message", () => {
    const user = { role: "user", content: [{ image }, { text: "What?" }] } as const;
    const turn = `<|im_start|>user\n${pads}What?<|im_end|>\n`;
    expect(text([user])).toBe(`${turn}<|im_start|>assistant\n`);
    const system = { role: "system", content: "Be brief." } as const;
    const answered = [
      system,
      user,
      { role: "assistant", content: "A cat." },
      { role: "user", content: "Sure?" },
    ] as const;
    expect(text(answered)).toBe(
      `<|im_start|>system\nBe brief.<|im_end|>\n${turn}<|im_start|>assistant\nA cat.<|im_end|>\n` +
        "<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  test("what the published template would drop without a word is refused", () => {
    const asked = { role: "user", content: "What?" } as const;
    expect(() => text([asked, { role: "system", content: "Be brief." }])).toThrow("it leaves out the text of block 1");
    expect(() => text([asked, { role: "assistant", content: [{ image }] }])).toThrow("it writes 0 images");
  });

  test("an observation behind a sampled turn opens a user's turn", () => {
    const encoded = processor.encodeTurn([{ role: "user", content: [{ text: "Look:" }, { image }] }], { position: 70 });
    expect(tokenizer.decode(encoded.tokens)).toBe(`<|im_start|>user\nLook:${pads}<|im_end|>\n<|im_start|>assistant\n`);
    expect(encoded.positions.slice(0, 3)).toEqual(Int32Array.of(70, 70, 70));
  });

  test("placeholders and padding rows are never sampled", () => {
    const banned = new Set(bannedIdsOf(config, 151_669));
    expect([151_655, 151_656, 151_669, 151_935].every((id) => banned.has(id))).toBe(true);
    expect([151_645, 151_643, 151_657, 151_668].some((id) => banned.has(id))).toBe(false);
  });
});

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  contentWithImages,
  type ImageRef,
  identifyImage,
  imageRef,
  imagesOfContent,
  storedContent,
  type Trace,
  taskSchema,
  traceSchema,
} from "../src/index.ts";

const pixels = Uint8Array.from({ length: 2 * 3 * 3 }, (_, index) => (index * 37) % 256);
const image = { width: 2, height: 3, channels: 3, data: pixels } as const;

async function exampleTrace(): Promise<Trace<ImageRef>> {
  const ref = imageRef(await identifyImage(image));
  return {
    version: 2,
    step: 0,
    group: 1,
    sample: 2,
    policyVersion: 0,
    task: {
      id: "a",
      source: "test",
      split: "train",
      content: { image: ref, question: "Which?", columns: [{ name: "7", x1: 1, y1: 0, x2: 1.5, y2: 2 }] },
    },
    blocks: [
      { id: "query", kind: "query", text: "Which?\n" },
      { id: "image", kind: "image", image: ref },
    ],
    turns: [
      {
        tokens: Int32Array.of(5, 6, 7, 151_645),
        blocks: Int16Array.of(0, 1, -1, -1),
        lossMask: Uint8Array.of(0, 0, 1, 1),
        logProbs: Float32Array.of(-0.25, -1e-7),
        temperature: 1,
        bannedIds: [3],
        images: [ref],
        text: "7",
        freshPrompt: true,
      },
    ],
    toolOutcomes: [{ status: "no_tool", tools: [], keys: [], unknownKeys: [], changed: false }],
    rewards: { outcome: 1 },
  };
}

describe("image id", () => {
  test("is the SHA-256 of width, height, channels and pixels", async () => {
    const header = Buffer.alloc(12);
    header.writeUInt32LE(2, 0);
    header.writeUInt32LE(3, 4);
    header.writeUInt32LE(3, 8);
    const expected = createHash("sha256").update(header).update(pixels).digest("hex");
    expect((await identifyImage(image)).id).toBe(expected);
  });

  test("refuses pixels of the wrong length", async () => {
    await expect(identifyImage({ ...image, width: 3 })).rejects.toThrow("needs 27");
  });
});

describe("trace schema", () => {
  test("an encoded trace survives JSON and decodes to the same bits", async () => {
    const trace = await exampleTrace();
    const json = JSON.parse(JSON.stringify(z.encode(traceSchema, trace)));
    expect(typeof json.turns[0].tokens).toBe("string");
    expect(z.decode(traceSchema, json)).toEqual(trace);
  });

  test.each<[string, (json: Record<string, unknown> & { turns: Record<string, unknown>[] }) => void]>([
    [
      "another version",
      (json) => {
        json.version = 3;
      },
    ],
    [
      "an extra key",
      (json) => {
        json.more = 1;
      },
    ],
    [
      "bytes that are no whole elements",
      (json) => {
        json.turns[0]!.tokens = btoa("12345");
      },
    ],
    [
      "fewer blocks than tokens",
      (json) => {
        json.turns[0]!.blocks = btoa("1234");
      },
    ],
    [
      "a log-prob too many",
      (json) => {
        json.turns[0]!.logProbs = btoa("123412341234");
      },
    ],
    [
      "a block that is not there",
      (json) => {
        json.blocks = [];
      },
    ],
    [
      "an ok outcome without an image",
      (json) => {
        json.toolOutcomes = [{ status: "ok", tools: [], keys: [], unknownKeys: [], changed: false }];
      },
    ],
  ])("refuses %s", async (_, damage) => {
    const json = JSON.parse(JSON.stringify(z.encode(traceSchema, await exampleTrace())));
    expect(traceSchema.safeParse(json).success).toBe(true);
    damage(json);
    expect(traceSchema.safeParse(json).success).toBe(false);
  });

  test("a foreign value at any place is refused by an issue or kept, and nothing else is thrown", async () => {
    const whole = JSON.stringify(z.encode(traceSchema, await exampleTrace()));
    const values = ["", "$", "AAAA", "A", -1, 0.5, 1e300, null, true, [], {}, [[]], "constructor"];
    const places = (value: unknown): (string | number)[][] =>
      typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => [[key], ...places(inner).map((rest) => [key, ...rest])])
        : [];
    let refused = 0;
    for (const place of places(JSON.parse(whole))) {
      for (const value of values) {
        const json = JSON.parse(whole);
        const holder = place.slice(0, -1).reduce((inner, key) => inner[key], json);
        holder[place.at(-1) ?? ""] = value;
        if (!traceSchema.safeParse(json).success) refused += 1; // a TypeError of a later check would be thrown
      }
    }
    expect(refused).toBeGreaterThan(300);
  });

  test("a task's content is plain data of any shape, not too deep", async () => {
    const { task } = await exampleTrace();
    const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
    for (const content of [task.content, "text", 7, null, [], deep(60)]) {
      expect(taskSchema.safeParse({ ...task, content }).success).toBe(true);
    }
    const { content: _none, ...without } = task;
    expect(taskSchema.safeParse(without).success).toBe(false);
    for (const content of [undefined, { x: Number.NaN }, { at: new Date(0) }, { f: () => 1 }, deep(100_000)]) {
      expect(taskSchema.safeParse({ ...task, content }).success).toBe(false);
    }
  });

  test("a content goes out with references for images, wherever they stand, and comes back with the images", async () => {
    const shown = await identifyImage(image);
    const content = { question: "?", images: [shown, { of: shown }], note: undefined };
    const stored = storedContent(content);
    const ref = imageRef(shown);
    expect(stored).toStrictEqual({ question: "?", images: [ref, { of: ref }] });
    expect(imagesOfContent(content)).toEqual([shown, shown]);
    const asked: string[] = [];
    const back = await contentWithImages(stored, async ({ id }) => {
      asked.push(id);
      return shown;
    });
    expect(back).toStrictEqual({ question: "?", images: [shown, { of: shown }] });
    expect(asked).toEqual([shown.id]);
    expect(() => storedContent({ data: { bytes: new Uint8Array(3) } })).toThrow("content.data.bytes is a Uint8Array");
    expect(() => storedContent({ worth: Number.POSITIVE_INFINITY })).toThrow("content.worth is Infinity");
  });
});

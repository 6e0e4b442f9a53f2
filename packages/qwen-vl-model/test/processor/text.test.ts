import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { knownConfigs, parsePreprocessorConfig, QwenVLError } from "../../src/config.ts";
import { chatTemplate } from "../../src/families/qwen2-5-vl/chat-template.ts";
import { createScribe } from "../../src/index.ts";
import {
  type ChatBlock,
  type ChatMessage,
  ChatTemplate,
  Processor,
  ropePositions,
  type TemplateMessage,
  Tokenizer,
} from "../../src/processor/index.ts";
import { byteTokenizer } from "../support/byte-tokenizer.ts";
import { processor, tokenizer } from "./qwen.ts";

type Grid = [number, number, number];
const golden = JSON.parse(readFileSync(new URL("../fixtures/text/golden.json", import.meta.url), "utf8")) as {
  renders: {
    name: string;
    messages: TemplateMessage[];
    add_generation_prompt: boolean;
    add_vision_id: boolean;
    text: string;
    ids: number[];
    grids: Grid[];
    expanded_ids: number[];
  }[];
  v2_append: { prompt_ids: number[]; sampled_ids: number[]; observation_ids: number[] };
  samples: { text: string; ids: number[]; decoded: string; decoded_skip_special: string }[];
  mrope: {
    cases: {
      input_ids: number[][];
      attention_mask: number[][];
      image_grid_thw: Grid[];
      position_ids: (number | null)[][][];
      next_position: number[];
    }[];
  };
};

/** An image that becomes this grid under the settings of 3B: its size is already a multiple of 28. */
function imageOf([, height, width]: Grid): ChatBlock {
  return { image: { width: width * 14, height: height * 14 } };
}

describe("templates and tokens, as the oracle has them", () => {
  const template = new ChatTemplate(chatTemplate);
  test.each(
    golden.renders.map((item) => [`${item.name} ${item.add_generation_prompt} ${item.add_vision_id}`, item] as const),
  )("%s", (_, item) => {
    const text = template.render(item.messages, {
      addGenerationPrompt: item.add_generation_prompt,
      addVisionId: item.add_vision_id,
    });
    expect(text).toBe(item.text);
    expect([...tokenizer.encode(text)]).toEqual(item.ids);
  });

  test("whole conversations become the oracle's expanded ids", () => {
    let compared = 0;
    for (const { messages, add_generation_prompt, add_vision_id, grids, expanded_ids, name } of golden.renders) {
      if (!add_generation_prompt || add_vision_id || name === "special_tokens_in_user_text") continue;
      let image = 0;
      const chat = messages.map(({ role, content }) => ({
        role: role as ChatMessage["role"],
        content: (typeof content === "string" ? [{ type: "text" as const, text: content }] : content).map((part) =>
          part.type === "image" ? imageOf(grids[image++]!) : { text: part.text },
        ),
      }));
      expect([...encodeWithSmallImages(chat)], name).toEqual(expanded_ids);
      compared++;
    }
    expect(compared).toBeGreaterThan(5);
  });

  test("samples encode and decode, whole and token by token", () => {
    for (const { text, ids, decoded, decoded_skip_special } of golden.samples) {
      expect([...tokenizer.encode(text)]).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decoded_skip_special);
    }
    // Half an emoji is held back until it is whole.
    const ids = tokenizer.encode("👩‍👩‍👧 🤖");
    const decoder = tokenizer.streamingDecoder();
    const pieces = Array.from(ids, (id) => decoder.push(id));
    expect(pieces.join("") + decoder.end()).toBe("👩‍👩‍👧 🤖");
    expect(pieces.some((piece) => piece === "")).toBe(true);
    expect(pieces.some((piece) => piece.includes("\ufffd"))).toBe(false);
  });
});

/** Images as small as the oracle's grids need limits below the published ones. */
const small = new Processor({
  config: knownConfigs["3B"],
  preprocessor: parsePreprocessorConfig({ min_pixels: 784, max_pixels: 1_003_520 }, knownConfigs["3B"]),
  tokenizer,
});
function encodeWithSmallImages(messages: readonly ChatMessage[]): Int32Array {
  return small.encodeChat(messages).tokens;
}

describe("positions", () => {
  test.each(golden.mrope.cases.map((item, i) => [i, item] as const))("case %i of the oracle", (_, item) => {
    let image = 0;
    for (const [row, all] of item.input_ids.entries()) {
      const kept = all.flatMap((_, at) => (item.attention_mask[row]![at] === 1 ? [at] : []));
      const ids = kept.map((at) => all[at]!);
      // An image begins where a pad follows vision_start.
      const images = ids.filter((id, at) => id === 7 && ids[at - 1] === 5).length;
      const grids = item.image_grid_thw.slice(image, image + images);
      image += images;
      const { positions, next } = ropePositions(ids, grids, { image: 7, video: 8 }, 2);
      const expected = kept.flatMap((at) => [0, 1, 2].map((axis) => item.position_ids[axis]![row]![at]!));
      expect([...positions]).toEqual(expected);
      expect(next).toBe(item.next_position[row]);
    }
  });

  test("a sequence continued is the sequence at once", () => {
    const image: [Int32Array, Grid[]] = [Int32Array.of(5, 7, 7, 7, 7, 7, 7, 6, 20), [[1, 4, 6]]];
    const whole = ropePositions([20, 21, ...image[0]], image[1], { image: 7, video: 8 }, 2);
    const first = ropePositions([20, 21], [], { image: 7, video: 8 }, 2);
    const second = ropePositions(image[0], image[1], { image: 7, video: 8 }, 2, first.next);
    expect(second.next).toBe(whole.next);
    expect([...first.positions, ...second.positions]).toEqual([...whole.positions]);
  });

  test("tokens and grids that do not belong together are refused", () => {
    const run = (ids: number[], grids: Grid[]) => (): unknown => ropePositions(ids, grids, { image: 7, video: 8 }, 2);
    expect(run([5, 7, 7, 6], [[1, 4, 4]])).toThrow("image 0 needs 4 tokens, its run has 2");
    expect(run([5, 7, 6], [])).toThrow("only 0 grids");
    expect(run([5, 6], [[1, 2, 2]])).toThrow("only 0 images");
    expect(run([8], [])).toThrow("video is not supported");
    expect(run([7, 7], [[2, 2, 2]])).toThrow("video is not supported");
  });
});

describe("blocks", () => {
  const messages: ChatMessage[] = [
    { role: "system", content: [{ text: "You see charts.\n" }, { text: "Tool: focus(image)\n" }] },
    { role: "user", content: [{ image: { width: 84, height: 56 } }, { text: "What is 2019?\n" }] },
  ];

  test("every token knows its block", () => {
    const { tokens, blocks, positions, nextPosition, grids } = processor.encodeChat(messages);
    expect(grids).toEqual([[1, 4, 6]]);
    const textOf = (block: number): string => tokenizer.decode(tokens.filter((_, i) => blocks[i] === block));
    expect(textOf(0)).toBe("You see charts.\n");
    expect(textOf(1)).toBe("Tool: focus(image)\n");
    expect(textOf(2)).toBe("<|image_pad|>".repeat(6));
    expect(textOf(3)).toBe("What is 2019?\n");
    expect(textOf(-1)).toBe(
      "<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|vision_start|><|vision_end|><|im_end|>\n<|im_start|>assistant\n",
    );
    expect(positions.length).toBe(3 * tokens.length);
    expect(nextPosition).toBe(tokens.length - 6 + 3);
  });

  const head = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n";
  const tail = "<|im_end|>\n<|im_start|>assistant\n";
  const user = (...content: ChatBlock[]): ChatMessage[] => [{ role: "user", content }];
  const specials = new Set(tokenizer.specialTokens.values());

  test("a text of more tokens than a call takes arguments is encoded", () => {
    const text = "1".repeat(130_000); // a digit is a token
    const { tokens } = processor.encodeChat(user({ text }));
    expect(tokenizer.decode(tokens)).toBe(head + text + tail);
    expect(tokens.length).toBeGreaterThan(125_000);
  });

  test("fuzz: any texts, however they meet, become the tokens of the whole; special tokens within are characters", {
    timeout: 300_000,
  }, () => {
    const special = fc.constantFrom(...tokenizer.specialTokens.keys(), "<tool_call>", "<|im_", "end|>", "\n", "\n\n ");
    const piece = fc.oneof(
      special,
      fc.string({ unit: "grapheme", maxLength: 8 }),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    const text = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (texts) => {
        const { tokens, blocks } = processor.encodeChat(user(...texts.map((text) => ({ text }))));
        const normal = texts.map((text) => text.toWellFormed().normalize("NFC"));
        expect(tokenizer.decode(tokens)).toBe(head + normal.join("") + tail);
        expect(tokens.filter((token) => specials.has(token)).length).toBe(5);
        expect(blocks.every((block, i) => block === -1 || !specials.has(tokens[i]!))).toBe(true);
        const whole = head + normal.join("") + tail;
        const spelled = [...tokenizer.specialTokens.keys()].some((token) => normal.join("").includes(token));
        if (!spelled && whole === whole.normalize("NFC")) expect([...tokens]).toEqual([...tokenizer.encode(whole)]);
      }),
      { numRuns: process.env.IAPO_FULL === "1" ? 10_000 : 300 },
    );
  });

  test("a token that spans blocks belongs to the block of its first byte", () => {
    const blocksOf = (content: ChatBlock[]): [string, number][] => {
      const { tokens, blocks } = processor.encodeChat(user(...content));
      const inner = [...tokens.keys()].slice(processor.encodeChat(user()).tokens.length - 6, -5);
      return inner.map((at) => [tokenizer.decode([tokens[at]!]), blocks[at]!]);
    };
    expect(blocksOf([{ text: "\nWhat" }])).toEqual([
      ["\n\n", -1],
      ["What", 0],
    ]);
    expect(blocksOf([{ text: "Hel" }, { text: "lo\n" }])).toEqual([
      ["\n", -1],
      ["Hello", 0],
      ["\n", 1],
    ]);
    const met = blocksOf([{ text: "<|im_" }, { text: "end|>" }]);
    expect(met.map(([text]) => text).join("")).toBe("\n<|im_end|>");
    expect(met.map(([, block]) => block)).toEqual(met.map(([, block]) => block).sort((a, b) => a - b));
  });

  test("a text that was quoted, and one that is learned, with special tokens in it, is data", () => {
    const quoted = small.encodeTurn(user({ text: "not <|im_end|>\n<|im_start|>system\n<|image_pad|>" }), {
      position: 5,
    });
    expect([...quoted.tokens].filter((token) => specials.has(token)).length).toBe(3);
    const input = { freshPrompt: true, blocks: [{ id: "q", kind: "query", text: "x\n" }] } as const;
    const turn = createScribe(small).transcribe(input, "a <|im_end|> b<|vision_start|>");
    const written = turn.tokens.filter((_, i) => turn.lossMask[i] === 1);
    expect(tokenizer.decode(written)).toBe("a <|im_end|> b<|vision_start|><|im_end|>");
    expect([...written].filter((token) => specials.has(token))).toEqual([151645]);
    expect(turn.text).toBe("a <|im_end|> b<|vision_start|>");
    expect(createScribe(small).render(input, written)).toEqual(turn);
  });

  test("what is no conversation is refused by its place", () => {
    const refused = (messages: unknown, code: string, part: string): void => {
      const run = () => processor.encodeChat(messages as ChatMessage[]);
      expect(run).toThrow(part);
      expect(run).toThrow(expect.objectContaining({ name: "QwenVLError", code }));
    };
    const reader = "readImage of @iapo/visual-tools/sharp";
    refused([], "prompt", "expected a list of at least one message");
    refused("hello", "prompt", "expected a list of at least one message");
    refused([null], "prompt", "messages[0].role: expected system, user or assistant");
    refused([{ role: "tool", content: "x" }], "prompt", "messages[0].role");
    refused([{ role: "user" }], "prompt", "messages[0].content: expected a text or a list");
    refused([{ role: "user", content: [{ type: "image_url", image_url: { url: "x.png" } }] }], "prompt", reader);
    refused([{ role: "user", content: [{ type: "image", image: "x.png" }] }], "prompt", reader);
    refused(
      [{ role: "user", content: [{ text: "a" }, { text: 3 }] }],
      "prompt",
      "messages[0].content[1]: expected { text }",
    );
    refused([{ role: "user", content: ["a"] }], "prompt", "got string");
    refused(user({ image: { width: 6000, height: 20 } }), "image", "must not differ");
    refused([{ role: "user", content: [{ video: "x.mp4" }] }], "video", "video is not supported");
    expect(processor.encodeChat([{ role: "user", content: "What?\n" }])).toEqual(
      processor.encodeChat(user({ text: "What?\n" })),
    );
    expect(processor.encodeChat([{ role: "user", content: [{ type: "text", text: "What?\n" } as ChatBlock] }])).toEqual(
      processor.encodeChat(user({ text: "What?\n" })),
    );
  });

  test("a template that drops, alters or repeats a text, fails or never ends is refused by its file", () => {
    const refused = (content: ChatBlock[], source: string, part: string): void => {
      const target = new Processor({ ...small, chatTemplate: new ChatTemplate(source, "mine.jinja") });
      const run = () => target.encodeChat(user(...content));
      expect(run).toThrow(`mine.jinja: ${part}`);
      expect(run).toThrow(expect.objectContaining({ code: "template" }));
    };
    const text = "{% for p in messages[0].content %}{{ p.text FILTER }}{% endfor %}";
    refused([{ text: " x\n" }], text.replace("FILTER", "| trim"), "it alters the text");
    refused([{ text: "x\n" }], text.replace("FILTER", "+ p.text"), "it repeats the text");
    refused([{ image: { width: 56, height: 56 } }], "no image", "it writes 0 images");
    refused([{ text: "x\n" }], "{{ raise_exception('boom') }}", "boom");
    refused([{ text: "x\n" }], "{{ messages[0].content }}", "it alters the text");
    const nested = Array.from({ length: 30 }, (_, i) => `{% for i${i} in range(30) %}`).join("");
    const endless = new Processor({
      ...small,
      chatTemplate: new ChatTemplate(`${nested}x${"{% endfor %}".repeat(30)}`, "mine.jinja"),
    });
    expect(() => endless.encodeChat(user({ text: "x" }))).toThrow("mine.jinja takes longer than 2 s");
    expect(() => new ChatTemplate("{% if %}")).toThrow(QwenVLError);
    expect(() => new ChatTemplate(" \n", "mine.jinja")).toThrow("mine.jinja: it is empty");
  });

  test("a second turn is appended without touching what was sampled", () => {
    const { prompt_ids, sampled_ids, observation_ids } = golden.v2_append;
    const observation = tokenizer
      .decode(observation_ids, { skipSpecialTokens: true })
      .replace(/^user\n/, "")
      .replace(/\nassistant\n$/, "");
    const turn: ChatMessage[] = [
      { role: "user", content: [{ image: { width: 84, height: 56 } }, { text: observation }] },
    ];
    const encoded = small.encodeTurn(turn, { position: 100, firstBlock: 7 });
    const collapsed = [...encoded.tokens].filter((id, i, all) => id !== 151655 || all[i - 1] !== 151655);
    expect(collapsed).toEqual(observation_ids);
    expect([...new Set(encoded.blocks)].sort((a, b) => a - b)).toEqual([-1, 7, 8]);
    expect(encoded.positions[0]).toBe(100);
    // A response that was cut off gets its end token first.
    const closed = small.encodeTurn(turn, { position: 100, closeResponse: true });
    expect([...closed.tokens]).toEqual([151645, ...encoded.tokens]);
    // Positions of prompt, response and turn are those of the whole.
    const whole = ropePositions(
      [...prompt_ids.filter((id) => id !== 151655), ...sampled_ids],
      [],
      small.config.tokens,
      2,
    );
    const continued = small.encodeTurn(turn, { position: whole.next });
    const at = ropePositions(continued.tokens, continued.grids, small.config.tokens, 2, whole.next);
    expect(continued.positions).toEqual(at.positions);
    expect(continued.nextPosition).toBe(at.next);
  });
});

test("a pattern that never ends is broken off", () => {
  const json = byteTokenizer() as { pre_tokenizer: unknown };
  const split = { type: "Split", pattern: { Regex: "(?:a+)+$|." }, behavior: "Isolated", invert: false };
  const slow = new Tokenizer({
    ...json,
    pre_tokenizer: { type: "Sequence", pretokenizers: [split, json.pre_tokenizer] },
  });
  expect(slow.encode("aab").length).toBe(3);
  expect(() => slow.encode(`${"a".repeat(60)}!`)).toThrow("tokenizing a text of 61 characters takes longer than 4 s");
}, 60_000);

test("a vocabulary in which an id is of two tokens is refused, and merges that are none", () => {
  const json = byteTokenizer() as {
    model: { vocab: Record<string, number>; merges: unknown[] };
    added_tokens: object[];
  };
  const [[one, id] = [], [other] = []] = Object.entries(json.model.vocab);
  if (one === undefined || other === undefined) throw new Error("the vocabulary is empty");
  const withModel =
    (more: object, rest: object = {}) =>
    () =>
      new Tokenizer({ ...json, ...rest, model: { ...json.model, ...more } }, "t.json");
  expect(withModel({ vocab: { ...json.model.vocab, [other]: id } })).toThrow(
    `t.json: the id ${id} is of two tokens, ${JSON.stringify(one)} and ${JSON.stringify(other)}`,
  );
  const added = [...json.added_tokens, { id, content: "<mine>", special: true }];
  expect(withModel({}, { added_tokens: added })).toThrow(`${JSON.stringify(one)} and "<mine>"`);
  expect(withModel({}, { added_tokens: [...json.added_tokens, { id, content: one, special: false }] })).not.toThrow();
  for (const merges of [[["a", "b"], "a b"], [["a"]], { a: "b" }])
    expect(withModel({ merges })).toThrow("t.json: model.merges: expected a list of pairs");
});

test("tokenizers of another kind are refused", () => {
  expect(() => new Tokenizer({ model: { type: "WordPiece", vocab: {} } }, "t.json")).toThrow("t.json: model.type");
  expect(() => new Tokenizer(null, "t.json")).toThrow(QwenVLError);
  expect(() => new Processor({ ...small, config: knownConfigs.nano })).toThrow(
    "151665 tokens do not fit a vocabulary of 512",
  );
});

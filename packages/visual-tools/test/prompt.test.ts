import type { RawImage } from "@iapo/rollout-trace";
import { identifyImage, imageRef, promptBlockSchema } from "@iapo/rollout-trace";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { toolOptionsSchema } from "../src/config.ts";
import {
  defaultToolOptions,
  failureBlocks,
  focusTools,
  observationBlocks,
  parseTemplate,
  toolPresets,
  toolPrompt,
} from "../src/index.ts";

const pixels: RawImage = { width: 1, height: 1, channels: 3, data: new Uint8Array(3) };
const tools = focusTools(defaultToolOptions);
const input = async () => ({
  question: "How many {rows} cost $& or more?",
  image: imageRef(await identifyImage(pixels)),
  columns: [
    { name: 'the "x"', x1: 12345, y1: 0, x2: 1, y2: 1 },
    { name: "7", x1: 0, y1: 0, x2: 1, y2: 1 },
  ],
  rows: [],
});

describe("the tool prompt", () => {
  test("is typed blocks with unique ids; text ends in one newline; names, never coordinates", async () => {
    const blocks = toolPrompt(await input(), tools);
    z.array(promptBlockSchema).parse(blocks);
    expect(new Set(blocks.map(({ id }) => id)).size).toBe(blocks.length);
    expect(blocks.filter(({ kind }) => kind === "tool").map(({ id }) => id)).toEqual(
      tools.map(({ name }) => `tool:${name}`),
    );
    const texts = blocks.flatMap((block) => (block.kind === "image" ? [] : [block.text]));
    for (const text of texts) expect(text).toMatch(/[^\n]\n$/);
    expect(texts.join("")).not.toContain("12345");
    const query = blocks.find(({ id }) => id === "query");
    expect(query).toMatchObject({
      text: 'Question: How many {rows} cost $& or more?\nColumns: ["the \\"x\\"", "7"]\nRows: []\n',
    });
  });

  test("aliases: the tools in their order under their names, wherever the text says the tool's own or {name}; others are left out", async () => {
    const [columns, rows] = ["focus_on_columns_with_mask", "focus_on_rows_with_mask"] as const;
    const aliases = [
      { tool: rows, name: "Rome" },
      { tool: columns, name: "Oslo" },
    ];
    const blocks = toolPrompt({ ...(await input()), aliases }, tools);
    const plain = toolPrompt(await input(), tools);
    const text = (tool: string) => plain.find(({ id }) => id === `tool:${tool}`)!;
    expect(blocks.filter(({ kind }) => kind === "tool")).toEqual([
      { ...text(rows), text: (text(rows) as { text: string }).text.replaceAll(rows, "Rome") },
      { ...text(columns), text: (text(columns) as { text: string }).text.replaceAll(columns, "Oslo") },
    ]);
    expect(blocks.filter(({ kind }) => kind !== "tool")).toEqual(plain.filter(({ kind }) => kind !== "tool"));
    const template = parseTemplate(
      `[[context]]\na\n[[tool ${columns}]]\n${columns}: {name}\n[[image]]\n[[query]]\n{question}\n[[observation]]\no\n[[failure]]\nf`,
    );
    const own = toolPrompt({ ...(await input()), aliases: aliases.slice(1) }, tools, template);
    expect(own[1]).toEqual({ id: `tool:${columns}`, kind: "tool", tool: columns, text: `${columns}: Oslo\n` });
    const call = async () => toolPrompt({ ...(await input()), aliases }, tools, template);
    await expect(call()).rejects.toThrow(/the prompt defines no focus_on_rows_with_mask, which is to be called Rome/);
  });

  test("what all questions share stands before the image and the query", async () => {
    const kinds = toolPrompt(await input(), tools).map(({ kind }) => kind);
    expect(kinds.indexOf("image")).toBe(kinds.length - 2);
    expect(kinds.at(-1)).toBe("query");
  });

  test("observation and failure", async () => {
    const { image } = await input();
    expect(observationBlocks(image).map(({ kind }) => kind)).toEqual(["image", "observation"]);
    expect(failureBlocks("no {such}\n name")[0]).toMatchObject({
      text: expect.stringContaining("picture: no {such} name."),
    });
  });
});

describe("a template of one's own", () => {
  const good = "[[image]]\n[[query]]\n{question}\n[[observation]]\nSee.\n[[failure]]\nNo.\n";

  test("keeps its order, defines a tool in its own words", async () => {
    const template = parseTemplate(`[[tool zoom]]\nzoom(image): larger\n\n[[context]]\nA {brace}.\n${good}`);
    expect(toolPrompt(await input(), tools, template).map(({ id }) => id)).toEqual([
      "tool:zoom",
      "context",
      "image",
      "query",
    ]);
  });

  test.each([
    ["hello\n[[image]]", "line 1: text before the first mark"],
    [`[[contxt]]\nx\n${good}`, "line 1: unknown mark [[contxt]]"],
    [`${good}[[image]]\n`, "line 8: needs exactly one [[image]], has 2"],
    [good.replace("[[failure]]\nNo.\n", ""), "needs exactly one [[failure]], has 0"],
    [good.replace("{question}", "{querry}"), "line 2: unknown placeholder {querry}"],
    [good.replace("{question}", "Say."), "must hold {question}"],
    [good.replace("See.", ""), "line 4: the block [[observation]] is empty"],
    [`[[tool]]\nx\n${good}`, "names its tool"],
    [`[[tools]]\nx\n${good}`, "stands alone"],
  ])("%j is refused with its line", (source, message) => {
    expect(() => parseTemplate(source)).toThrow(message);
  });
});

describe("config", () => {
  test("an empty object gives the defaults, and every preset is valid", () => {
    expect(toolOptionsSchema.parse({})).toEqual(defaultToolOptions);
    for (const preset of Object.values(toolPresets)) expect(toolOptionsSchema.parse(preset)).toEqual(preset);
    expect(toolOptionsSchema.parse({ limits: { calls: 3 } }).limits).toEqual({
      ...defaultToolOptions.limits,
      calls: 3,
    });
  });

  test.each([[{ geometri: "vtool_v1" }], [{ geometry: "v3" }], [{ limits: { calls: 0 } }], [{ limits: { call: 1 } }]])(
    "%j is refused",
    (options) => {
      expect(toolOptionsSchema.safeParse(options).success).toBe(false);
    },
  );
});

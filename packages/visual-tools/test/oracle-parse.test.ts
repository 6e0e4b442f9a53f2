import { describe, expect, test } from "vitest";
import { extractProgram, type ToolOptions, toolInterpreter, toolPresets, trimToProgramEnd } from "../src/index.ts";
import { inputImage, type ParseCase, parseCases, toolCases } from "./oracle.ts";

/** Oracle cases outside of the tool language, by name; Python compiles them, or (marked) refuses them for another reason. */
const unsupportedCases: ReadonlySet<string> = new Set([
  "arithmetic block",
  "regex backslashes",
  "os system",
  "dunder import",
  "open file",
  "subclasses",
  "endless loop",
  "huge power",
  "huge list",
  "recursion",
  "eval string",
  "exec string",
  "sys exit",
  "lambda",
  "walrus",
  "f string",
  "match statement",
  "type hints",
  "deep nesting",
  "dict comprehension",
  "tabs and spaces", // refused by Python: mixed indentation, inside an if
  "f string nested quotes", // refused by Python 3.11, accepted since 3.12
  "star expr", // refused by Python: a lone starred target
  "deeper nesting", // refused by Python: more than 200 brackets
]);

/** A deleted comma leaves a subscript, which Python compiles. The name stands for several cases. */
const unsupportedTexts: readonly string[] = ['(image_1 ["Team", "A"], columns_bbox)'];

const isUnsupported = ({ name, text }: ParseCase): boolean =>
  unsupportedCases.has(name) || unsupportedTexts.some((part) => text.includes(part));

async function classOf(text: string, options: ToolOptions): Promise<string> {
  const image = await inputImage("table.png");
  const { columns, rows } = toolCases()[0]!;
  const { status } = toolInterpreter(options).run(text, { image, columns, rows }).outcome;
  return { no_tool: "NOTOOL", parse_error: "PARSE_ERROR", unsupported: "unsupported", tool_error: "OK", ok: "OK" }[
    status
  ];
}

describe("parsing a response", () => {
  test.each(["v1", "v2"] as const)("%s: every outcome class", async (version) => {
    const unsupported = new Set<string>();
    for (const parseCase of parseCases()) {
      const found = await classOf(parseCase.text, toolPresets[`vtool_${version}`]);
      if (isUnsupported(parseCase) && parseCase[version] !== "NOTOOL") {
        unsupported.add(parseCase.name);
        expect([parseCase.name, found]).toEqual([parseCase.name, "unsupported"]);
      } else {
        expect([parseCase.name, found]).toEqual([parseCase.name, parseCase[version]]);
      }
    }
    expect(unsupported.size).toBe(version === "v1" ? 25 : 23);
  });

  test("the program cut out equals the published one", () => {
    const closed = parseCases().filter((parseCase) => parseCase.v1 === "OK");
    expect(closed.length).toBeGreaterThan(50);
    for (const { text, code } of closed) {
      expect(extractProgram(text, "vtool_v1", [])).toEqual({ kind: "program", code });
    }
  });

  test("the first turn is trimmed as v1 trims it", () => {
    for (const { name, text, trimmed } of parseCases()) {
      expect([name, trimToProgramEnd(text)]).toEqual([name, text.slice(0, trimmed)]);
    }
  });
});

/** Programs as models write them: where they stand in a response, what stands beside them, and how they spell names. */
import { expect, test } from "vitest";
import type { NamedBox } from "../src/boxes.ts";
import { defaultToolOptions, toolInterpreter, toolPresets } from "../src/index.ts";
import { findProgram } from "../src/program/fences.ts";

const image = { width: 40, height: 20, channels: 3, data: new Uint8Array(2400).fill(200) } as const;
const column = (name: string, x1: number): NamedBox => ({ name, x1, y1: 0, x2: x1 + 19, y2: 19 });
const input = { image, columns: [column("2010", 0), column("B", 20)], rows: [] };

const f = "```";
const code = 'display(focus_on_columns_with_mask(image_1, ["B"], columns_bbox))';
const inner = code.slice(8, -1);

test.each([
  ["plain", `${f}python\n${code}\n${f}`],
  ["arithmetic first", `${f}python\na = 3\n${f}\nNow image_1:\n${f}python\n${code}\n${f}`],
  ["data first", `${f}json\n{"focus_on_": 1}\n${f}\n${f}python\n${code}\n${f}`],
  ["an empty block first", `${f}python\n${f}\n${f}python\n${code}\n${f}`],
  ["the fence in a sentence", `I will write a ${f}python block.\n${f}python\n${code}\n${f}`],
  ["the fence in a sentence, closed", `In ${f}python${f} style:\n${f}python\n${code}\n${f}`],
  ["py", `${f}py\n${code}\n${f}`],
  ["Python", `${f}Python\n${code}\n${f}`],
  ["a blank before", `${f} python\n${code}\n${f}`],
  ["CR LF", `${f}python\r\n${code}\r\n${f}`],
  ["no language", `${f}\n${code}\n${f}`],
  ["four back ticks", `${f}\`python\n${code}\n${f}\``],
  ["four back ticks, closed by three", `${f}\`python\n${code}\n${f}`],
  ["four around three", `${f}\`markdown\n${f}json\n{}\n${f}\n${f}\`\n${f}python\n${code}\n${f}`],
  ["a fence of Gemini", `${f}tool_code\n${code}\n${f}`],
  ["a version of Python", `${f}python3.12\n${code}\n${f}`],
  ["IPython", `${f}ipython\n${code}\n${f}`],
  ["CR", `${f}python\r${code}\r${f}`],
  ["on the line of the fence", `${f}python ${code}${f}`],
  ["behind text", `Look: ${f}python\n${code}\n${f}`],
  ["in a list", `1. Look:\n   ${f}python\n   x = ${inner}\n   display(x)\n   ${f}`],
  ["indented by tabs", `${f}python\n\tx = ${inner}\n\n\tdisplay(x)\n${f}`],
  ["a print beside", `${f}python\nx = ${inner}\nprint(f"done {x}")\ndisplay(x)\n${f}`],
  ["imports", `${f}python\nimport os.path\nfrom tools import *\n${code}\n${f}`],
  ["a string that only looks formatted", `${f}python\n${code.replace('["', '[f"')}\n${f}`],
  ["escaped underscores", `${f}python\n${code.replaceAll("_", "\\_")}\n${f}`],
])("%s", (_, response) => {
  const { outcome } = toolInterpreter(defaultToolOptions).run(response, input);
  expect(outcome).toMatchObject({ status: "ok", keys: ["B"], changed: true });
});

test.each([
  ["only arithmetic", `${f}python\na = 3\n${f}`],
  ["only data", `${f}json\n{"display(": 1}\n${f}`],
  ["a mention", `I would call display( in a ${f}python block.`],
  ["an answer in a fence", `${f}\nFINAL ANSWER: 3\n${f}`],
])("%s is no tool program", (_, response) => {
  expect(toolInterpreter(defaultToolOptions).run(response, input).outcome.status).toBe("no_tool");
});

test("finding a program takes linear time, and one without a fence stays unclosed", () => {
  const start = performance.now();
  for (const response of [
    `${f}python `.repeat(50_000),
    `${f}`.repeat(100_000),
    `${f}\n`.repeat(80_000),
    `${f}${" ".repeat(300_000)}`,
    Array.from({ length: 700 }, (_, i) => "`".repeat(703 - i)).join(" "),
  ])
    findProgram(response);
  expect(performance.now() - start).toBeLessThan(1500);
  expect(toolInterpreter(defaultToolOptions).run(`${f}python\n${code}`, input).outcome.reason?.code).toBe(
    "unclosed_fence",
  );
});

test("programs that are no Python cost little: repair of errors is thrown away", () => {
  const start = performance.now();
  for (const text of [")+".repeat(4050), "as +\n ;+".repeat(1000), "print 11j".repeat(880)])
    expect(toolInterpreter(defaultToolOptions).run(`${f}python\nimage_1 ${text}\n${f}`, input).outcome.status).toBe(
      "parse_error",
    );
  expect(performance.now() - start).toBeLessThan(300);
});

test.each([
  ["2010", "2010"],
  ["2010", '"2010"'],
  ["Co\u0302te", '"C\u00f4te"'],
  ["C\u00f4te", '"Co\u0302te"'],
  ["Men's", '"Men\u2019s"'],
  ["Year", '" Year "'],
  ["GDP\nper head", '"GDP per head"'],
  ["2010\u201311", '"2010-11"'],
  ["To\u200bky\u00ado", '"Tokyo"'],
  ["Tokyo", '"To\u200bkyo"'],
])("the box %j is meant by %s", (name, written) => {
  const boxes = { ...input, columns: [column(name, 0), column("Other", 20)] };
  const response = `${f}python\ndisplay(focus_on_columns_with_draw(image_1, [${written}], columns_bbox))\n${f}`;
  const { outcome } = toolInterpreter(defaultToolOptions).run(response, boxes);
  expect(outcome).toMatchObject({ keys: [name], unknownKeys: [], changed: true });
  if (written === "2010") {
    const { outcome: published } = toolInterpreter(toolPresets.vtool_v2).run(response, boxes);
    expect(published).toMatchObject({ keys: [], unknownKeys: ["2010"] });
  }
});

test("a spelling that two boxes share means neither, the exact name means its own", () => {
  const boxes = { ...input, columns: [column("Men's", 0), column("Men\u2019s", 20)] };
  const run = (name: string) =>
    toolInterpreter(defaultToolOptions).run(
      `${f}python\ndisplay(focus_on_columns_with_draw(image_1, ["${name}"], columns_bbox))\n${f}`,
      boxes,
    ).outcome;
  expect(run("Men's").keys).toEqual(["Men's"]);
  expect(run("Men's ").unknownKeys).toEqual(["Men's "]);
});

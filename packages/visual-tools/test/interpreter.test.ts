import type { RawImage } from "@iapo/rollout-trace";
import { describe, expect, test } from "vitest";
import type { NamedBox } from "../src/boxes.ts";
import { defaultToolOptions, type ProgramInput, type ToolOptions, toolInterpreter, toolPresets } from "../src/index.ts";

const image: RawImage = {
  width: 40,
  height: 30,
  channels: 3,
  data: Uint8Array.from({ length: 40 * 30 * 3 }, (_, index) => (index * 7919) % 251),
};

const box = (name: string, x1: number, y1: number, x2: number, y2: number): NamedBox => ({ name, x1, y1, x2, y2 });

const table: ProgramInput = {
  image,
  columns: [box("Year", 0, 0, 19, 29), box("7", 20, 0, 39, 29)],
  rows: [box("head", 0, 0, 39, 9), box("first", 0, 10, 39, 19), box("it's", 0, 20, 39, 29)],
};

function run(program: string, options: Partial<ToolOptions> = {}, input: ProgramInput = table) {
  const interpreter = toolInterpreter({ ...defaultToolOptions, ...options });
  return interpreter.run(`Let me look.\n\`\`\`python\n${program}\n\`\`\`\n`, input);
}

const highlight = (keys: string, from = "image_1"): string =>
  `focus_on_columns_with_highlight(${from}, ${keys}, columns_bbox)`;

describe("a program that works", () => {
  test("reports tools, keys and change, and leaves the given image alone", () => {
    const before = image.data.slice();
    const { outcome, usage } = run(
      `x = focus_on_columns_with_mask(image_1, ["Year", "nope"], columns_bbox)\ndisplay(x)`,
    );
    expect(outcome).toMatchObject({
      status: "ok",
      tools: ["focus_on_columns_with_mask"],
      keys: ["Year"],
      unknownKeys: ["nope"],
      changed: true,
    });
    expect(image.data).toEqual(before);
    expect(usage).toMatchObject({ statements: 2, calls: 2 });
    expect(usage.pixels).toBeGreaterThanOrEqual(image.width * image.height);
  });

  test("an edit that changes nothing is ok, but not changed", () => {
    expect(run(`display(${highlight("[]")})`).outcome).toMatchObject({ status: "ok", changed: false });
  });

  test.each([
    [
      "keyword arguments",
      `display(focus_on_columns_with_draw(columns_to_focus_on=["7"], image=image_1, all_columns_bounding_boxes=columns_bbox))`,
    ],
    ["nested calls", `display(focus_on_rows_with_mask(${highlight('["7"]')}, ["first"], rows_bbox))`],
    ["a loop", `for k in ["Year", "7"]:\n    image_1 = ${highlight("[k]")}\ndisplay(image_1)`],
    ["a loop on one line", `for k in ("Year", "7"): x = ${highlight("[k]")}\ndisplay(x)`],
    ["several targets, a semicolon, a comment", `a = b = ${highlight('["7"]')}; display(b) # done`],
    [
      "boxes written out",
      `display(focus_on_rows_with_draw(image_1, ['a'], {'a': {'x1': 4, 'y1': .5, 'x2': 1_0, "y2": 0x14}}))`,
    ],
    [
      "a string in parts and escapes",
      `display(focus_on_rows_with_draw(image_1, ["i" 't\\'s', 'fi\\x72st'], rows_bbox))`,
    ],
    ["a tool by another name", `edit = focus_on_columns_with_draw\ndisplay(edit(image_1, ["7"], columns_bbox))`],
    ["CR LF lines", `x = ${highlight('["7"]')}\r\ndisplay(x)`],
    ["letters of another width", `ｄｉｓｐｌａｙ(${highlight('["7"]')})`],
  ])("%s", (_, program) => {
    expect(run(program).outcome).toMatchObject({ status: "ok", changed: true, unknownKeys: [] });
  });
});

describe("a program that fails", () => {
  test.each<[string, string, string, number?, number?]>([
    ["display(imge_1)", "tool_error", "undefined_name", 2, 9],
    ["x = image_1\n\n  # note\ndisplay(x, x)", "tool_error", "bad_argument", 5, 1],
    ['display(focus_on_columns_with_draw("no", [], columns_bbox))', "tool_error", "bad_argument", 2, 9],
    ["display(focus_on_columns_with_draw(image_1, 3, columns_bbox))", "tool_error", "bad_argument", 2, 9],
    ["display(focus_on_columns_with_draw(image_1, []))", "tool_error", "bad_argument", 2, 9],
    ["display(focus_on_columns_with_draw(image_1, [], columns_bbox, color=3))", "tool_error", "bad_argument", 2, 9],
    ["display(focus_on_columns_with_draw(image_1, [], image=image_1))", "tool_error", "bad_argument", 2, 9],
    ["display(focus_on_columns_with_draw(image_1, ['a'], {'a': {'x1': 1e999}}))", "tool_error", "bad_box", 2, 9],
    ["display(focus_on_columns_with_draw(image_1, ['a'], {'a': None}))", "tool_error", "bad_box", 2, 9],
    ["for k in 3: display(image_1)", "tool_error", "bad_argument", 2, 1],
    ["x = {[1]: 2} # image_1", "tool_error", "bad_argument", 2, 6],
    ["image_1()", "tool_error", "not_callable", 2, 1],
    ["k = columns_bbox", "tool_error", "no_display"],
    ["display(3)", "tool_error", "not_an_image"],
    ["import os # image_1", "tool_error", "no_display"],
    ["import os\ndisplay(os.image_1)", "unsupported", "unsupported_syntax", 3, 9],
    ["x = image_1.size", "unsupported", "unsupported_syntax", 2, 5],
    ["print(image_1)", "tool_error", "no_display"],
    ["print(display(image_1))", "unsupported", "unsupported_syntax", 2, 1],
    ["display(f'{image_1}')", "unsupported", "unsupported_syntax", 2, 9],
    ["display(*[image_1])", "unsupported", "unsupported_syntax", 2, 9],
    ["display([k for k in rows_bbox])", "unsupported", "unsupported_syntax", 2, 9],
    ["display(image_1", "parse_error", "syntax"],
    ["image_1 = 'a\n", "parse_error", "syntax"],
    ["  x = image_1\ny = x", "parse_error", "syntax"],
    ["for k in [1]:\n  x = 1\n   y = image_1", "parse_error", "syntax"],
    ["display(image_1) = 3", "parse_error", "syntax", 2, 1],
    ["display(image=image_1, image_1)", "parse_error", "syntax", 2, 24],
    ["image_1 = 012", "parse_error", "syntax", 2, 11],
    ["image_1 = '\\x1'", "parse_error", "syntax", 2, 11],
  ])("%j is %s, %s", (program, status, code, line, column) => {
    const { outcome } = run(program);
    expect(outcome).toMatchObject({ status, reason: { code } });
    if (line !== undefined) expect(outcome.reason).toMatchObject({ line, column });
    expect(outcome.image).toBeUndefined();
    expect(outcome.changed).toBe(false);
  });
});

describe("limits", () => {
  const limits = defaultToolOptions.limits;
  test.each<[keyof typeof limits, number, string]>([
    ["characters", 20, `display(${highlight('["7"]')})`],
    ["statements", 5, `for k in [1, 2, 3, 4, 5]: x = image_1`],
    ["nesting", 4, `x = [[[[image_1]]]]`],
    ["calls", 2, `display(image_1)\ndisplay(image_1)\ndisplay(image_1)`],
    ["steps", 10, `x = [image_1, 2, 3, 4, 5, 6, 7, 8, 9, 10]`],
    ["pixels", 40 * 30, `x = ${highlight('["7"]')}\ndisplay(x)`],
  ])("more %s than %d", (name, value, program) => {
    expect(run(program).outcome.reason?.code).not.toBe("limit");
    const { outcome, usage } = run(program, { limits: { ...limits, [name]: value } });
    expect(outcome).toMatchObject({ status: "unsupported", reason: { code: "limit" } });
    expect(usage.pixels).toBeLessThanOrEqual(name === "pixels" ? value : limits.pixels);
  });
});

describe("options", () => {
  const other = "display(focus_on_columns_with_draw(image_1, ['yea'], columns_bbox))";

  test("unknownKey", () => {
    expect(run(other, { unknownKey: "error" }).outcome).toMatchObject({
      status: "tool_error",
      reason: { code: "unknown_key" },
      unknownKeys: ["yea"],
    });
    expect(run(other, { unknownKey: "ignore" }).outcome).toMatchObject({ status: "ok", changed: false });
    const near = other.replace("yea", "ea");
    expect(run(near, { unknownKey: "fuzzy" }).outcome).toMatchObject({ status: "ok", changed: true });
    expect(run(near, { unknownKey: "published" }).outcome).toMatchObject({ status: "ok", changed: false });
  });

  test("a bare string is one name, or its letters as published", () => {
    const program = "display(focus_on_columns_with_draw(image_1, '1972', columns_bbox))";
    expect(run(program).outcome).toMatchObject({ status: "ok", changed: false });
    expect(run(program, { unknownKey: "published" }).outcome).toMatchObject({ status: "ok", changed: true });
  });

  test("inPlace shows a mask through every name of the image, but never outside", () => {
    const program = `y = image_1\nx = focus_on_columns_with_mask(image_1, ["7"], columns_bbox)\ndisplay(y)`;
    const before = image.data.slice();
    expect(run(program, { inPlace: true }).outcome).toMatchObject({ status: "ok", changed: true });
    expect(run(program).outcome).toMatchObject({ status: "ok", changed: false });
    expect(image.data).toEqual(before);
  });

  test.each([
    ["the last tool call", `x = ${highlight('["7"]')}`],
    ["a call without a name", highlight('["7"]')],
    ["the last image made in a loop", `for k in ["7"]:\n  x = ${highlight("[k]")}`],
    ["the last image where display got none", `x = ${highlight('["7"]')}\ndisplay("x")`],
  ])("autoDisplay shows %s", (_, program) => {
    expect(run(program).outcome).toMatchObject({ status: "ok", changed: true });
    expect(run(program, { autoDisplay: false }).outcome).toMatchObject({ status: "tool_error" });
  });

  test("strictOrientation empties the boxes of the wrong axis of a chart", () => {
    const chart: ProgramInput = { ...table, rows: [], orientation: "columns" };
    const wrong = "display(focus_on_rows_with_highlight(image_1, ['7'], rows_bbox))";
    const right = wrong.replaceAll("rows", "columns");
    expect(run(wrong, {}, chart).outcome).toMatchObject({ status: "ok", changed: true, keys: ["7"] });
    expect(run(wrong, { strictOrientation: true }, chart).outcome).toMatchObject({
      status: "ok",
      changed: false,
      unknownKeys: ["7"],
    });
    expect(run(right, { strictOrientation: true }, chart).outcome).toMatchObject({ status: "ok", changed: true });
  });

  test("a strictOrientation between: the draw of a chart says whether its wrong axis has boxes; without one it is refused", () => {
    const chart: ProgramInput = { ...table, rows: [], orientation: "columns" };
    const wrong = "display(focus_on_rows_with_highlight(image_1, ['7'], rows_bbox))";
    const changed = (strictOrientation: number, draw: number): boolean =>
      run(wrong, { strictOrientation }, { ...chart, draw }).outcome.changed;
    expect([changed(0.25, 0.2), changed(0.25, 0.25), changed(0, 0), changed(1, 0.999)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(
      run(wrong, { strictOrientation: 0.5 }, { ...chart, orientation: undefined, rows: table.columns }).outcome.changed,
    ).toBe(true);
    for (const draw of [undefined, 1, -0.1, Number.NaN])
      expect(() => run(wrong, { strictOrientation: 0.5 }, { ...chart, draw })).toThrow(/needs a draw in \[0, 1\)/);
  });

  test("under aliases, programs call the tools by these names alone, and what is recorded is the tools' own", () => {
    const aliases = [{ tool: "focus_on_columns_with_highlight", name: "Rome" }];
    const call = (name: string): string => `display(${name}(image_1, ["7"], columns_bbox))`;
    const own = "focus_on_columns_with_highlight";
    expect(run(call("Rome"), {}, { ...table, aliases }).outcome).toEqual(run(call(own)).outcome);
    expect(run(call(own), {}, { ...table, aliases }).outcome).toMatchObject({ status: "tool_error", tools: [] });
    expect(run(`${call("Rome").slice(8, -1)}`, {}, { ...table, aliases }).outcome).toMatchObject({
      status: "ok",
      changed: true,
    });
    const failed = run('display(Rome(image_1, ["7"]))', {}, { ...table, aliases }).outcome;
    expect(failed.reason?.message).toContain("Rome needs the argument");
    const unknown = [{ tool: "none", name: "Rome" }];
    expect(() => run(call("Rome"), {}, { ...table, aliases: unknown })).toThrow(/there is no tool none/);
  });

  test("a mask keeps the header row whatever its name is", () => {
    const rows = [box("10", 0, 0, 39, 9), box("9", 0, 10, 39, 19), box("8", 0, 20, 39, 29)];
    const { outcome } = run("display(focus_on_rows_with_mask(image_1, ['8'], rows_bbox))", {}, { ...table, rows });
    const at = (x: number, y: number): number[] => [
      ...outcome.image!.data.subarray(3 * (40 * y + x), 3 * (40 * y + x) + 3),
    ];
    expect(at(5, 3)).toEqual([...image.data.subarray(3 * (40 * 3 + 5), 3 * (40 * 3 + 5) + 3)]);
    expect(at(5, 14)).toEqual([255, 255, 255]);
  });

  test("both frames paint the same pixels", () => {
    const program = "display(focus_on_columns_with_draw(image_1, ['7'], columns_bbox))";
    const columns = table.columns.map((b) => box(b.name, b.x1 / 40, b.y1 / 30, b.x2 / 40, b.y2 / 30));
    for (const preset of Object.values(toolPresets)) {
      const pixel = run(program, { geometry: preset.geometry, coordinates: "pixel" }).outcome;
      const fraction = run(
        program,
        { geometry: preset.geometry, coordinates: "fraction" },
        { ...table, columns },
      ).outcome;
      expect(pixel.changed).toBe(true);
      expect(fraction.image).toEqual(pixel.image);
    }
  });
});

test("an input that is no image is the caller's mistake", () => {
  expect(() => run("display(image_1)", {}, { ...table, image: { ...image, width: 41 } })).toThrow("not a raw image");
});

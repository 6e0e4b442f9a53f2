import type { RawImage } from "@iapo/rollout-trace";
import { describe, expect, test } from "vitest";
import {
  defaultToolOptions,
  defineTool,
  focusTools,
  type Tool,
  toolInterpreter,
  VisualToolsError,
} from "../src/index.ts";

/** Cuts a box out and enlarges it by a whole factor. */
const cropAndZoom = defineTool({
  name: "crop_and_zoom",
  signature: { region: "box", factor: "number" },
  promptBlock: "crop_and_zoom(image, region, factor): cuts the region out and enlarges it by a whole factor.\n",
  run(image, { region, factor }, budget) {
    const [left, top] = [Math.max(0, region.x1), Math.max(0, region.y1)];
    const width = (Math.min(image.width, region.x2) - left) * factor;
    const height = (Math.min(image.height, region.y2) - top) * factor;
    if (!(width > 0 && height > 0)) throw new VisualToolsError("bad_box", "the region is empty");
    if (width * height > budget.pixels) throw new VisualToolsError("too_many_pixels", "the zoom is too large");
    const data = new Uint8Array(width * height * image.channels);
    for (let to = 0; to < data.length; to++) {
      const [pixel, channel] = [Math.floor(to / image.channels), to % image.channels];
      const x = left + Math.floor((pixel % width) / factor);
      const y = top + Math.floor(Math.floor(pixel / width) / factor);
      data[to] = image.data[(y * image.width + x) * image.channels + channel]!;
    }
    return { width, height, channels: image.channels, data };
  },
});

const image: RawImage = { width: 8, height: 6, channels: 3, data: Uint8Array.from({ length: 144 }, (_, i) => i) };
const columns = [{ name: "A", x1: 0, y1: 0, x2: 3, y2: 5 }];

function run(program: string, extra: Tool) {
  const interpreter = toolInterpreter(defaultToolOptions, [...focusTools(defaultToolOptions), extra]);
  return interpreter.run(`\`\`\`python\n${program}\`\`\``, { image, columns, rows: [] }).outcome;
}

const tool = (result: () => RawImage): Tool =>
  defineTool({ name: "broken", signature: {}, promptBlock: "broken(image)\n", run: result });

describe("a tool of one's own", () => {
  test("crops, zooms, changes the size, and chains with the six", () => {
    const zoomed = run("crop_and_zoom(image_1, {'x1': 2, 'y1': 1, 'x2': 5, 'y2': 3}, factor=2)\n", cropAndZoom);
    expect(zoomed).toMatchObject({ status: "ok", changed: true, tools: ["crop_and_zoom"] });
    expect([zoomed.image!.width, zoomed.image!.height]).toEqual([6, 4]);
    expect([...zoomed.image!.data.subarray(0, 6)]).toEqual([30, 31, 32, 30, 31, 32]);
    const whole = "{'x1': 0, 'y1': 0, 'x2': 8, 'y2': 6}";
    const chained = run(
      `x = crop_and_zoom(image_1, ${whole}, 1)\ndisplay(focus_on_columns_with_draw(x, ['A'], columns_bbox))\n`,
      cropAndZoom,
    );
    expect(chained).toMatchObject({ status: "ok", tools: ["crop_and_zoom", "focus_on_columns_with_draw"] });
  });

  test("refuses to enlarge beyond the pixel budget before it allocates", () => {
    expect(
      run("display(crop_and_zoom(image_1, {'x1': 0, 'y1': 0, 'x2': 8, 'y2': 6}, 1000000))\n", cropAndZoom),
    ).toMatchObject({
      status: "unsupported",
      reason: { code: "limit" },
    });
  });

  test("its errors and broken results fail the call, not the caller", () => {
    const empty = run("display(crop_and_zoom(image_1, {'x1': 5, 'y1': 5, 'x2': 1, 'y2': 1}, 2))\n", cropAndZoom);
    expect(empty).toMatchObject({ status: "tool_error", reason: { code: "bad_box", line: 2, column: 9 } });
    const throws = tool(() => {
      throw new TypeError("oops");
    });
    expect(run("display(broken(image_1))\n", throws)).toMatchObject({
      status: "tool_error",
      reason: { code: "tool_failed" },
    });
    const wrong = tool(() => ({ ...image, width: 9 }));
    expect(run("display(broken(image_1))\n", wrong)).toMatchObject({
      status: "tool_error",
      reason: { code: "bad_image" },
    });
  });

  test("its name and parameters must be ones a program can write", () => {
    const rest = { promptBlock: "", run: () => image };
    expect(() => defineTool({ name: "a b", signature: {}, ...rest })).toThrow("not a Python identifier");
    expect(() => defineTool({ name: "a", signature: { "b-c": "number" }, ...rest })).toThrow("not a Python identifier");
    expect(() => defineTool({ name: "a", signature: { image: "number" }, ...rest })).toThrow("already called");
  });
});

test("the six tools come in the order of the paper's prompt, each with one line for it", () => {
  const tools = focusTools(defaultToolOptions);
  expect(tools.map(({ name }) => name)).toEqual(
    ["highlight", "mask", "draw"].flatMap((action) => [
      `focus_on_columns_with_${action}`,
      `focus_on_rows_with_${action}`,
    ]),
  );
  for (const { name, promptBlock } of tools) {
    expect(promptBlock.startsWith(`${name}(image, `)).toBe(true);
    expect(promptBlock.endsWith(".\n")).toBe(true);
  }
});

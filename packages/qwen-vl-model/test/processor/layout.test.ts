import { openSafetensors } from "@iapo/tensor-core/safetensors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { knownConfigs } from "../../src/config.ts";
import { visionLayout } from "../../src/families/qwen2-5-vl/window-layout.ts";
import { type ImageGrid, textRotaryTables } from "../../src/processor/index.ts";
import { byToken } from "../support/by-token.ts";

const { vision } = knownConfigs["3B"];

/** Window order and starts as the published implementation computes them (docs/qwen2.5-vl.md "Vision tower", golden list). */
const golden: [ImageGrid[], number[] | "identity", number[]][] = [
  [[[1, 8, 8]], "identity", [0, 64]],
  [
    [[1, 12, 10]],
    [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18, 4, 9, 14, 19, 20, 21, 22, 23, 25, 26, 27, 28, 24, 29],
    [0, 64, 80, 112, 120],
  ],
  [
    [
      [1, 8, 8],
      [1, 4, 6],
    ],
    "identity",
    [0, 64, 88],
  ],
];

test.each(golden)("windows of %j", (grids, order, starts) => {
  const layout = visionLayout(vision, grids);
  const cells = layout.windowOrder.length;
  expect([...layout.windowOrder]).toEqual(order === "identity" ? Array.from({ length: cells }, (_, i) => i) : order);
  expect([...layout.windowStarts]).toEqual(starts);
});

test("windows of a large ragged grid", () => {
  const starts = [0, 64, 128, 192, 208, 272, 336, 400, 416, 432, 448, 464, 468];
  expect([...visionLayout(vision, [[1, 18, 26]]).windowStarts]).toEqual(starts);
});

test("any batch: a permutation and its inverse, windows within images, images in order", () => {
  const even = fc.integer({ min: 1, max: 15 }).map((half) => 2 * half);
  const grid = fc.tuple(fc.constant(1), even, even);
  fc.assert(
    fc.property(fc.array(grid, { minLength: 1, maxLength: 4 }), (grids) => {
      const { windowOrder, imageOrder, windowStarts, imageStarts } = visionLayout(vision, grids);
      expect([...windowOrder].sort((a, b) => a - b)).toEqual([...windowOrder.keys()]);
      for (const [place, cell] of windowOrder.entries()) expect(imageOrder[cell]).toBe(place);
      expect(imageStarts.at(-1)).toBe(windowOrder.length * 4);
      const windows = new Set(windowStarts);
      for (const start of imageStarts) expect(windows.has(start)).toBe(true);
      for (let i = 1; i < windowStarts.length; i++) {
        const size = windowStarts[i]! - windowStarts[i - 1]!;
        expect(size > 0 && size <= 64 && size % 4 === 0).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test("vision angles turn with the patch's row, then its column, in window order", () => {
  const { cos, sin, windowOrder } = visionLayout(vision, [[1, 12, 10]]);
  const columns = 5;
  for (const [place, cell] of windowOrder.entries()) {
    for (let patch = 0; patch < 4; patch++) {
      const row = 2 * Math.floor(cell / columns) + Math.floor(patch / 2);
      const column = 2 * (cell % columns) + (patch % 2);
      for (let j = 0; j < 40; j++) {
        const angle = (j < 20 ? row : column) * 10_000 ** (-(2 * (j % 20)) / 40);
        const at = (place * 4 + patch) * 40 + j;
        expect(Math.abs(cos[at]! - Math.cos(angle))).toBeLessThan(2e-6);
        expect(Math.abs(sin[at]! - Math.sin(angle))).toBeLessThan(2e-6);
      }
    }
  }
});

test("text angles turn with time, height and width by section", () => {
  const { text } = knownConfigs["3B"];
  const positions = Int32Array.of(5, 7, 11, 100_000, 3, 2);
  const { cos, sin } = textRotaryTables(text, positions);
  const half = text.headDim / 2;
  for (let row = 0; row < 2; row++) {
    for (let j = 0; j < half; j++) {
      const axis = j < 16 ? 0 : j < 40 ? 1 : 2;
      const angle = positions[3 * row + axis]! * text.ropeTheta ** (-j / half);
      // The published implementation rounds frequencies and angles to float32; so do we.
      const bound = 1e-6 + Math.abs(angle) * 2 ** -22;
      expect(Math.abs(cos[row * half + j]! - Math.cos(angle))).toBeLessThan(bound);
      expect(Math.abs(sin[row * half + j]! - Math.sin(angle))).toBeLessThan(bound);
    }
  }
});

test("positions of the nano oracle, two images in one row", async () => {
  const { ropePositions } = await import("../../src/processor/index.ts");
  const file = new URL("../fixtures/model-nano/golden.safetensors", import.meta.url).pathname;
  await using reader = await openSafetensors(file);
  const ints = async (name: string): Promise<Int32Array> => new Int32Array((await reader.read(name)).buffer);
  const grids = await ints("A.image_grid_thw");
  const list: ImageGrid[] = [];
  for (let i = 0; i < grids.length; i += 3) list.push([grids[i]!, grids[i + 1]!, grids[i + 2]!]);
  const { positions } = ropePositions(await ints("A.input_ids"), list, knownConfigs.nano.tokens, 2);
  expect(positions).toEqual(byToken(await ints("A.position_ids")));
});

test("video and grids that do not divide are refused", () => {
  expect(() => visionLayout(vision, [[2, 4, 4]])).toThrow("video is not supported");
  expect(() => visionLayout(vision, [[1, 3, 4]])).toThrow("does not divide");
});

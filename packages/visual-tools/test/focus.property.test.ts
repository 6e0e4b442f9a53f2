import type { RawImage } from "@iapo/rollout-trace";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { NamedBox } from "../src/boxes.ts";
import { type Geometry, toolInterpreter, toolPresets } from "../src/index.ts";

/** Boxes of at least 12 pixels, so that no outline turns round (the oracle has those); they may leave the image. */
const boxes = fc.uniqueArray(
  fc
    .record({
      name: fc.string({ maxLength: 4 }).filter((name) => !/[\\"`]/.test(name)),
      x1: fc.double({ min: -20, max: 30, noNaN: true }),
      y1: fc.double({ min: -20, max: 20, noNaN: true }),
      width: fc.double({ min: 25, max: 60, noNaN: true }),
      height: fc.double({ min: 25, max: 60, noNaN: true }),
    })
    .map(({ name, x1, y1, width, height }): NamedBox => ({ name, x1, y1, x2: x1 + width, y2: y1 + height })),
  { selector: ({ name }) => name, minLength: 2, maxLength: 5 },
);

const images = fc
  .record({ width: fc.integer({ min: 30, max: 40 }), height: fc.integer({ min: 25, max: 33 }), seed: fc.nat() })
  .map(({ width, height, seed }): RawImage => {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.imul(i + seed, 2654435761) >>> 24);
    return { width, height, channels: 3, data };
  });

const grow = { refocus: [-2, -2], vtool_v1: [-2, -2], vtool_v2: [1, 2] } as const;
const outline = { refocus: 5, vtool_v1: 5, vtool_v2: 3 } as const;

type Sides = readonly [left: number, top: number, right: number, bottom: number];

function sides(box: NamedBox, margin: number, image: RawImage, geometry: Geometry): Sides {
  const [left, top] = [Math.trunc(box.x1 - margin), Math.trunc(box.y1 - margin)];
  const [right, bottom] = [Math.trunc(box.x2 + margin), Math.trunc(box.y2 + margin)];
  if (geometry !== "vtool_v2") return [left, top, right, bottom];
  return [Math.max(left, 0), Math.max(top, 0), Math.min(right, image.width), Math.min(bottom, image.height)];
}

const isIn = (x: number, y: number, [left, top, right, bottom]: Sides, inwards = 0): boolean =>
  x >= left + inwards && x <= right - inwards && y >= top + inwards && y <= bottom - inwards;

test.each(["vtool_v1", "vtool_v2"] as const)("%s paints exactly the pixels of its boxes", (geometry) => {
  const interpreter = toolInterpreter({ ...toolPresets[geometry], autoDisplay: false });
  fc.assert(
    fc.property(images, boxes, fc.constantFrom("mask", "draw", "highlight"), (image, columns, action) => {
      const [first, ...rest] = columns as [NamedBox, ...NamedBox[]];
      const program = `display(focus_on_columns_with_${action}(image_1, ["${first.name}"], columns_bbox))`;
      const { outcome } = interpreter.run(`\`\`\`python\n${program}\n\`\`\``, { image, columns, rows: [] });
      expect(outcome.reason).toBeUndefined();
      const margin = grow[geometry][action === "mask" ? 0 : 1];
      const painted = (action === "mask" ? rest : [first]).map((box) => sides(box, margin, image, geometry));
      for (let pixel = 0; pixel < image.width * image.height; pixel++) {
        const [x, y] = [pixel % image.width, Math.floor(pixel / image.width)];
        const hit = painted.some((box) =>
          action === "draw" ? isIn(x, y, box) && !isIn(x, y, box, outline[geometry]) : isIn(x, y, box),
        );
        for (let channel = 0; channel < 3; channel++) {
          const value = image.data[3 * pixel + channel]!;
          const red = channel === 0 ? 255 : 0;
          const edited = { mask: 255, draw: red, highlight: Math.round((red * 50 + value * 205) / 255) }[action];
          if (outcome.image!.data[3 * pixel + channel] !== (hit ? edited : value)) {
            throw new Error(`${action}: wrong value at ${x}, ${y}, channel ${channel}`);
          }
        }
      }
    }),
    { numRuns: process.env.IAPO_FULL === "1" ? 2000 : 60 },
  );
});

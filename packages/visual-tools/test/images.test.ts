import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RawImage } from "@iapo/rollout-trace";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contactSheet, toRgb } from "../src/index.ts";
import { encodePng, readImage, writeImage } from "../src/sharp/index.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "visual-tools-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** 3 wide, 2 high; the first row is red, green, blue. */
const rgb: RawImage = {
  width: 3,
  height: 2,
  channels: 3,
  data: Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90),
};
const raw = { raw: { width: 3, height: 2, channels: 3 } } as const;
const file = (pipeline: Sharp): Promise<Uint8Array> => pipeline.toBuffer();

describe("image files", () => {
  test("what is written is read back to the byte, RGB and RGBA, and no part file stays", async () => {
    const rgba: RawImage = { width: 2, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 0, 5, 6, 7, 128) };
    for (const [name, image] of Object.entries({ rgb, rgba })) {
      await writeImage(join(folder, `${name}.png`), image);
      expect(await readImage(join(folder, `${name}.png`))).toEqual(image);
    }
    expect(await readdir(folder)).toEqual(["rgb.png", "rgba.png"]);
  });

  test("EXIF orientation is applied", async () => {
    const turned = await readImage(await file(sharp(rgb.data, raw).withMetadata({ orientation: 6 }).png()));
    expect([turned.width, turned.height]).toEqual([2, 3]);
    expect([...turned.data.subarray(3, 6)]).toEqual([255, 0, 0]);
  });

  test("16 bits a channel keep their upper 8", async () => {
    const deep = Uint16Array.from(rgb.data, (value) => value * 256 + 37);
    const bytes = await file(sharp(deep, raw).toColourspace("rgb16").png());
    expect((await sharp(bytes).metadata()).depth).toBe("ushort");
    expect(await readImage(bytes)).toEqual(rgb);
  });

  test("gray becomes three equal channels, gray with alpha four", async () => {
    const gray = await file(sharp(Uint8Array.of(7, 200), { raw: { width: 2, height: 1, channels: 1 } }).png());
    expect(await readImage(gray)).toMatchObject({ channels: 3, data: Uint8Array.of(7, 7, 7, 200, 200, 200) });
    const grayAlpha = await file(sharp(Uint8Array.of(7, 100), { raw: { width: 1, height: 1, channels: 2 } }).png());
    expect(await readImage(grayAlpha)).toMatchObject({ channels: 4, data: Uint8Array.of(7, 7, 7, 100) });
  });

  test("a palette is resolved", async () => {
    const bytes = await file(sharp(rgb.data, raw).png({ palette: true, dither: 0 }));
    expect((await sharp(bytes).metadata()).isPalette).toBe(true);
    const { channels, data } = await readImage(bytes);
    expect([channels, ...data.subarray(0, 9)]).toEqual([3, 255, 0, 0, 0, 255, 0, 0, 0, 255]);
  });

  test("alpha is kept on reading and dropped, not blended, on toRgb", () => {
    const image: RawImage = { width: 1, height: 1, channels: 4, data: Uint8Array.of(9, 8, 7, 0) };
    expect([...toRgb(image).data]).toEqual([9, 8, 7]);
  });

  test.each<[string, () => Promise<Uint8Array> | string]>([
    ["no image", async () => new TextEncoder().encode("not an image")],
    ["cut short", async () => (await encodePng({ ...rgb })).slice(0, 60)],
    ["missing", () => "no/such/file.png"],
  ])("a file that is %s is bad_image", async (_, source) => {
    await expect(readImage(await source())).rejects.toMatchObject({ name: "VisualToolsError", code: "bad_image" });
  });

  test("more pixels than asked for are refused", async () => {
    await expect(readImage(await encodePng(rgb), { maxPixels: 5 })).rejects.toMatchObject({ code: "bad_image" });
  });

  test("a failed write leaves nothing", async () => {
    await expect(writeImage(join(folder, "missing", "x.png"), rgb)).rejects.toThrow();
    await expect(writeImage(join(folder, "x.png"), { ...rgb, width: 4 })).rejects.toMatchObject({ code: "bad_image" });
    expect(await readdir(folder)).not.toContain("x.png");
  });
});

describe("contact sheet", () => {
  const at = ({ width, data }: RawImage, x: number, y: number): number[] => [
    ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
  ];

  test("sets pairs of any size side by side", () => {
    const tall: RawImage = { width: 1, height: 4, channels: 4, data: new Uint8Array(16).fill(9) };
    const sheet = contactSheet(
      [
        { before: rgb, after: tall },
        { before: tall, after: rgb },
        { before: rgb, after: rgb },
      ],
      { columns: 2, gap: 1 },
    );
    expect([sheet.width, sheet.height]).toEqual([2 * 9 + 2, 2 * 6 + 2]);
    expect(at(sheet, 0, 0)).toEqual([160, 160, 160]);
    expect(at(sheet, 2, 2)).toEqual([255, 0, 0]);
    expect(at(sheet, 2 + 4, 5)).toEqual([9, 9, 9]);
    expect(at(sheet, 2 + 9 + 4 + 1, 2)).toEqual([0, 255, 0]);
    expect(at(sheet, 4, 2 + 6)).toEqual([0, 0, 255]);
  });

  test("refuses an empty list", () => {
    expect(() => contactSheet([])).toThrow("at least one pair");
  });
});

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RawImage } from "@iapo/rollout-trace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contactSheet, sameRgb, toRgb } from "../src/index.ts";
import { encodePng, pngDataUrl, readImage, writeImage } from "../src/sharp/index.ts";

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

describe("image files", () => {
  test("what is written is read back to the byte, RGB and RGBA, and no part file stays", async () => {
    const rgba: RawImage = { width: 2, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 0, 5, 6, 7, 128) };
    for (const [name, image] of Object.entries({ rgb, rgba })) {
      await writeImage(join(folder, `${name}.png`), image);
      expect(await readImage(join(folder, `${name}.png`), { keepAlpha: true })).toEqual(image);
    }
    expect(await readdir(folder)).toEqual(["rgb.png", "rgba.png"]);
  });

  test("a transparent image is seen on white: by toRgb, by `changed`, on a sheet", () => {
    const clear: RawImage = { width: 1, height: 1, channels: 4, data: Uint8Array.of(9, 8, 7, 0) };
    const half: RawImage = { ...clear, data: Uint8Array.of(100, 0, 255, 127) };
    const white: RawImage = { width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 255, 255) };
    expect(toRgb(clear)).toEqual(white);
    expect([...toRgb(half).data]).toEqual([178, 128, 255]);
    expect([sameRgb(clear, white), sameRgb(white, clear), sameRgb(half, white)]).toEqual([true, true, false]);
    const { data } = contactSheet([{ before: clear, after: half }], { gap: 0 });
    expect([...data]).toEqual([255, 255, 255, 178, 128, 255]);
  });

  test("a data URL holds the PNG", async () => {
    const [head, base64 = ""] = (await pngDataUrl(rgb)).split(",");
    expect(head).toBe("data:image/png;base64");
    expect(await readImage(Buffer.from(base64, "base64"))).toEqual(rgb);
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
    expect(at(sheet, 2 + 4, 5)).toEqual([246, 246, 246]); // nearly transparent on white
    expect(at(sheet, 2 + 9 + 4 + 1, 2)).toEqual([0, 255, 0]);
    expect(at(sheet, 4, 2 + 6)).toEqual([0, 0, 255]);
  });

  test("refuses an empty list", () => {
    expect(() => contactSheet([])).toThrow("at least one pair");
  });
});

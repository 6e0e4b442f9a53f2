/** Files of every odd kind. PNG files are put together here byte by byte, so that the expected pixels do not come from the decoder under test. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { QwenVLError, readImage } from "../../src/processor/index.ts";

const folder = new URL("../fixtures/image-processor/", import.meta.url).pathname;

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(8 + data.length + 4);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), 8 + data.length);
  return out;
}

/** A PNG; `rows` are the unfiltered scan lines. Color types: 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA. */
function png(
  { width, bits = 8, color }: { width: number; bits?: number; color: 0 | 2 | 3 | 4 | 6 },
  rows: readonly Uint8Array[],
  extra: Buffer[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(rows.length, 4);
  header.set([bits, color, 0, 0, 0], 8);
  const data = deflateSync(Buffer.concat(rows.map((row) => Buffer.concat([Buffer.of(0), row]))));
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    ...extra,
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

async function pixels(file: Uint8Array): Promise<number[]> {
  const image = await readImage(file);
  expect(image.channels).toBe(3);
  expect(image.data.length).toBe(image.width * image.height * 3);
  return [...image.data];
}

describe("PNG is exact", () => {
  test("RGB, gray and palette", async () => {
    const rgb = [10, 20, 30, 255, 0, 128, 1, 2, 3, 4, 5, 6];
    const rows = [Uint8Array.from(rgb.slice(0, 6)), Uint8Array.from(rgb.slice(6))];
    expect(await pixels(png({ width: 2, color: 2 }, rows))).toEqual(rgb);
    expect(await pixels(png({ width: 3, color: 0 }, [Uint8Array.of(0, 7, 255)]))).toEqual([
      0, 0, 0, 7, 7, 7, 255, 255, 255,
    ]);
    const palette = chunk("PLTE", Uint8Array.from(rgb));
    expect(await pixels(png({ width: 4, bits: 2, color: 3 }, [Uint8Array.of(0b00_11_01_10)], [palette]))).toEqual([
      10, 20, 30, 4, 5, 6, 255, 0, 128, 1, 2, 3,
    ]);
  });

  test("the oracle's files, by the hash of their pixels", async () => {
    const { cases } = JSON.parse(readFileSync(`${folder}golden.json`, "utf8")) as {
      cases: { image: string; mode: string; rgb_sha256: string }[];
    };
    for (const { image, mode, rgb_sha256 } of cases) {
      if (mode === "RGBA") continue; // the oracle dropped alpha
      const { data } = await readImage(`${folder}inputs/${image}`);
      expect(createHash("sha256").update(data).digest("hex"), image).toBe(rgb_sha256);
    }
  });

  test("transparency is laid on white, rounded as Pillow rounds", async () => {
    const row = Uint8Array.of(100, 0, 255, 255, 100, 0, 255, 0, 100, 0, 255, 127, 100, 0, 255, 1);
    const over = (value: number, alpha: number): number => Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    const expected = [255, 0, 127, 1].flatMap((alpha) => [100, 0, 255].map((value) => over(value, alpha)));
    expect(await pixels(png({ width: 4, color: 6 }, [row]))).toEqual(expected);
    const gray = [over(10, 51), over(200, 204)].flatMap((value) => [value, value, value]);
    expect(await pixels(png({ width: 2, color: 4 }, [Uint8Array.of(10, 51, 200, 204)]))).toEqual(gray);
    const palette = [chunk("PLTE", Uint8Array.of(0, 0, 0, 9, 9, 9)), chunk("tRNS", Uint8Array.of(0))];
    expect(await pixels(png({ width: 2, bits: 1, color: 3 }, [Uint8Array.of(0b01_000000)], palette))).toEqual([
      255, 255, 255, 9, 9, 9,
    ]);
  });

  test("16-bit samples are scaled", async () => {
    const samples = [0, 128, 129, 32_767, 65_407, 65_535];
    const row = Buffer.alloc(12);
    for (const [i, sample] of samples.entries()) row.writeUInt16BE(sample, 2 * i);
    const scaled = samples.map((sample) => Math.round((sample * 255) / 65_535));
    expect(await pixels(png({ width: 2, bits: 16, color: 2 }, [row]))).toEqual(scaled);
    const gray = scaled.flatMap((value) => [value, value, value]);
    expect(await pixels(png({ width: 6, bits: 16, color: 0 }, [row]))).toEqual(gray);
  });

  test("gamma and color profiles change nothing", async () => {
    const gamma = chunk("gAMA", Uint8Array.of(0, 1, 0x86, 0xa0));
    const row = Uint8Array.of(10, 128, 240);
    expect(await pixels(png({ width: 1, color: 2 }, [row], [gamma]))).toEqual([...row]);
    const wideGamut = await sharp(png({ width: 1, color: 2 }, [row]))
      .withIccProfile("p3")
      .png()
      .toBuffer();
    const { data } = await sharp(wideGamut, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
    expect([...data]).not.toEqual([...row]);
    expect(await pixels(wideGamut)).toEqual([...data]);
  });
});

test("EXIF orientation is applied", async () => {
  const raw = { width: 2, height: 1, channels: 3 as const };
  const turned = await sharp(Uint8Array.of(255, 0, 0, 0, 0, 255), { raw })
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer();
  const image = await readImage(turned);
  // 6 = the file's left edge belongs on top.
  expect([image.width, image.height]).toEqual([1, 2]);
  expect([...image.data]).toEqual([255, 0, 0, 0, 0, 255]);
});

describe("refused with our error", () => {
  const one = png({ width: 1, color: 2 }, [Uint8Array.of(1, 2, 3)]);
  const bomb = (() => {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(60_000, 0);
    header.writeUInt32BE(60_000, 4);
    header.set([8, 2, 0, 0, 0], 8);
    return Buffer.concat([one.subarray(0, 8), chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.alloc(1000)))]);
  })();
  const svg = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"><rect width="2" height="2"/></svg>`,
  );
  const files: [string, string | Uint8Array][] = [
    ["a missing file", "/nowhere/x.png"],
    ["text", Buffer.from("hello")],
    ["nothing", new Uint8Array(0)],
    ["a drawing program", svg],
    ["a file cut short", readFileSync(`${folder}inputs/noise.png`).subarray(0, 4000)],
    ["a photo cut short", readFileSync(`${folder}inputs/photo.jpg`).subarray(0, 3000)],
    ["a decompression bomb", bomb],
  ];
  test("CMYK", async () => {
    const raw = { width: 1, height: 1, channels: 3 as const };
    const file = await sharp(Uint8Array.of(9, 99, 199), { raw })
      .toColourspace("cmyk")
      .jpeg()
      .toBuffer();
    await expect(readImage(file)).rejects.toThrow("is CMYK");
  });

  test.each(files)("%s", async (_, file) => {
    const error: unknown = await readImage(file).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(QwenVLError);
    expect((error as QwenVLError).code).toBe("image");
  });
});

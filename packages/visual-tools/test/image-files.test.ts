/** Files of every odd kind: those of fixtures/files as Pillow reads them, and PNG files put together here byte by byte. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { VisualToolsError } from "../src/index.ts";
import { readImage } from "../src/sharp/index.ts";

const folder = new URL("./fixtures/files/", import.meta.url).pathname;
type Read = { readonly width: number; readonly height: number; readonly pixels: string };
const pillow = JSON.parse(readFileSync(`${folder}pillow.json`, "utf8")) as Record<string, Read>;
/** Decoders of lossy formats may round otherwise on another machine. */
const lossy: Readonly<Record<string, number>> = { jpg: 2, avif: 2 };
const levelsOf = (file: string): number =>
  lossy[file.split(".")[1] ?? ""] ?? (["lossy.webp", "jpeg.tif"].includes(file) ? 2 : 0);

test.each(Object.entries(pillow))(
  "%s is read as Pillow reads it, on white",
  async (file, { width, height, pixels }) => {
    const image = await readImage(`${folder}${file}`);
    expect(image).toMatchObject({ width, height, channels: 3 });
    const expected = Buffer.from(pixels, "base64");
    expect(image.data.length).toBe(expected.length);
    const worst = image.data.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? Number.NaN))),
      0,
    );
    expect(worst).toBeLessThanOrEqual(levelsOf(file));
  },
);

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(8 + data.length + 4);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), 8 + data.length);
  return out;
}

/** A bitmap with one 32-bit field overwritten. */
function patched(file: string, at: number, value: number): Uint8Array {
  const bytes = readFileSync(`${folder}${file}`);
  bytes.writeUInt32LE(value, at);
  return bytes;
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

  test("16-bit samples keep their upper 8 bits, gray too", async () => {
    const samples = [0, 255, 256, 32_767, 65_407, 65_535];
    const row = Buffer.alloc(12);
    for (const [i, sample] of samples.entries()) row.writeUInt16BE(sample, 2 * i);
    const upper = samples.map((sample) => sample >> 8);
    expect(await pixels(png({ width: 2, bits: 16, color: 2 }, [row]))).toEqual(upper);
    const gray = upper.flatMap((value) => [value, value, value]);
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

describe("refused", () => {
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
    ["a file cut short", readFileSync(`${folder}rgb.png`).subarray(0, 120)],
    ["a photo cut short", readFileSync(`${folder}rgb.jpg`).subarray(0, 700)],
    ["a decompression bomb", bomb],
    ["a drawing that begins as a picture", Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), svg])],
    ["a device", "/dev/zero"],
    ["a folder", folder],
    ["a bitmap cut short", readFileSync(`${folder}rgb.bmp`).subarray(0, 100)],
    ["a bitmap that lies about its size", patched("rgb.bmp", 18, 60_000)],
    ["a bitmap that lies about where its pixels lie", patched("rgb.bmp", 10, 0xffff_ffff)],
    ["a compressed bitmap", patched("palette.bmp", 30, 1)],
    ["a page", Buffer.from("<!doctype html><title>x</title>")],
    ["a PDF", Buffer.from("%PDF-1.4\n")],
  ];
  test.each(files)("%s", async (_, file) => {
    const error: unknown = await readImage(file).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VisualToolsError);
    expect((error as VisualToolsError).code).toBe("bad_image");
  });
});

test("an SVG that reads the file beside it is refused under any name, given as a path or as bytes", async () => {
  const here = mkdtempSync(join(tmpdir(), "visual-tools-"));
  try {
    writeFileSync(join(here, "secret.txt"), "secret");
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xi="http://www.w3.org/2001/XInclude" width="90" height="20">
      <text y="12"><xi:include href="secret.txt" parse="text"/></text></svg>`;
    writeFileSync(join(here, "chart.png"), svg);
    symlinkSync(join(here, "chart.png"), join(here, "link.jpg"));
    for (const source of [join(here, "chart.png"), join(here, "link.jpg"), Buffer.from(svg)]) {
      await expect(readImage(source)).rejects.toThrow("it is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file");
    }
  } finally {
    rmSync(here, { recursive: true });
  }
});

test("transparent pixels are kept where they are asked for", async () => {
  const { channels, data } = await readImage(`${folder}rgba.png`, { keepAlpha: true });
  const raw = await sharp(`${folder}rgba.png`).raw().toBuffer();
  expect(channels).toBe(4);
  expect([...data]).toEqual([...raw]);
});

test("sharp is loaded by the first file only", async () => {
  const script = `await import("@iapo/visual-tools/sharp");
    process.report.excludeNetwork = true;
    console.log(process.report.getReport().sharedObjects.some((name) => /vips|sharp/.test(name)));`;
  const { spawnSync } = await import("node:child_process");
  const options = { cwd: import.meta.dirname, encoding: "utf8" } as const;
  const run = spawnSync(process.execPath, ["--conditions=@iapo/source", "--input-type=module", "-e", script], options);
  expect(run.stdout.trim() || run.stderr).toBe("false");
});

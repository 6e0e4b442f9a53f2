/** Image files in and out, by sharp. Node only. */
import { rename, rm, writeFile } from "node:fs/promises";
import type { RawImage } from "@iapo/rollout-trace";
import sharp from "sharp";
import { VisualToolsError } from "../error.ts";
import { checkImage } from "../image/pixels.ts";

export type ReadOptions = {
  /** A picture with more pixels is refused before it is decoded. Default 2^26. */
  readonly maxPixels?: number;
};

/**
 * Decodes a PNG, JPEG, WebP, GIF, TIFF or AVIF file into 8-bit RGB, or RGBA where the file has transparency: turned upright by its EXIF
 * orientation; palettes resolved; gray in three equal channels; 16 bits a channel cut to their upper 8; CMYK and embedded
 * profiles converted to sRGB; of an animation the first frame.
 *
 * @param source a path, or the bytes of a file
 * @throws VisualToolsError `bad_image` for what is no image, is damaged, or is too large
 */
export async function readImage(source: string | Uint8Array, options: ReadOptions = {}): Promise<RawImage> {
  const name = typeof source === "string" ? source : `${source.length} bytes`;
  try {
    const { data, info } = await sharp(source, { limitInputPixels: options.maxPixels ?? 2 ** 26, failOn: "error" })
      .autoOrient()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const image: RawImage = {
      width: info.width,
      height: info.height,
      channels: info.channels === 4 ? 4 : 3,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    };
    checkImage(image);
    return image;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new VisualToolsError("bad_image", `cannot read an image from ${name}: ${message}`, { cause: error });
  }
}

/** The image as the bytes of a PNG file, without loss. */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  checkImage(image);
  const { width, height, channels, data } = image;
  const png = await sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 6 }).toBuffer();
  return new Uint8Array(png.buffer, png.byteOffset, png.byteLength);
}

/** Writes a PNG file. It appears under its name only when it is whole. */
export async function writeImage(path: string, image: RawImage): Promise<void> {
  const png = await encodePng(image);
  const beside = `${path}.${process.pid}.partial`;
  try {
    await writeFile(beside, png);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Reads image files into raw pixels. Loaded only when a file is read, since it needs the native `sharp`. */
import type { RawImage } from "@iapo/rollout-trace";
import sharp from "sharp";
import { QwenVLError, reasonOf } from "../error.ts";
import { toRgb } from "./image.ts";

/** Pillow's own limit against decompression bombs. */
const MAX_PIXELS = 89_478_485;
const FORMATS: ReadonlySet<string> = new Set(["png", "jpeg", "webp"]);

/**
 * Decodes a PNG, JPEG or WebP file to 8-bit RGB: turned upright by its EXIF orientation, 16-bit samples scaled (not cut off), transparency
 * laid on white, embedded color profiles ignored (as Pillow does). PNG decodes exactly, JPEG within 2 levels of Pillow.
 * @throws QwenVLError `image`.
 */
export async function decodeImage(file: string | Uint8Array): Promise<RawImage & { readonly channels: 3 }> {
  const label = typeof file === "string" ? file : "the image";
  try {
    const image = sharp(file, { limitInputPixels: MAX_PIXELS, failOn: "error", ignoreIcc: true });
    const { format, depth, space } = await image.metadata();
    if (!FORMATS.has(format))
      throw new QwenVLError("image", `${label}: ${format} is not one of ${[...FORMATS].join(", ")}`);
    // Decoders disagree on what CMYK looks like.
    if (space === "cmyk") throw new QwenVLError("image", `${label}: is CMYK; convert it to RGB`);
    const wide = depth === "ushort";
    const { data, info } = await image
      .autoOrient()
      .toColourspace(wide ? "rgb16" : "srgb")
      .raw({ depth: wide ? "ushort" : "uchar" })
      .toBuffer({ resolveWithObject: true });
    const bytes = wide ? scaleTo8Bits(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
    const { width, height } = info;
    if (info.channels !== 3 && info.channels !== 4)
      throw new QwenVLError("image", `${label}: ${info.channels} channels`);
    return { width, height, channels: 3, data: toRgb({ width, height, channels: info.channels, data: bytes }) };
  } catch (cause) {
    if (cause instanceof QwenVLError) throw cause;
    throw new QwenVLError("image", `${label}: cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** 0..65535 to 0..255, rounded. */
function scaleTo8Bits(data: Buffer): Uint8Array {
  const bytes = new Uint8Array(data.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.round(data.readUInt16LE(2 * i) / 257);
  return bytes;
}

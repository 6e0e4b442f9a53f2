// Image files as the published processor sees them: Pillow's pixels, upright, on white.
import { open } from "node:fs/promises";
import { type RawImage, toRgb } from "@iapo/rollout-trace";
import { VisualToolsError } from "../error.ts";
import { checkImage } from "../image/pixels.ts";
import { decodeBmp } from "./bmp.ts";
import { formatOf, type ImageFormat } from "./format.ts";
import { loadSharp } from "./load.ts";

export interface ReadOptions {
  /** A picture with more pixels is refused before it is decoded. Default, and at most, 2^26. */
  readonly maxPixels?: number;
  /** Transparent pixels stay so, in a fourth channel, in place of being laid on white: for images that a program wrote. Default false. */
  readonly keepAlpha?: boolean;
}

const mostPixels = 2 ** 26;
/** Nothing of 2^26 pixels is larger. */
const maxFileBytes = 2 ** 29;

/**
 * Decodes a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file into 8-bit RGB. The pixels are those that Pillow gives the published processor:
 *
 * - turned upright by the file's EXIF orientation; palettes resolved; gray in three equal channels;
 * - transparency laid on white with Pillow's rounding, as qwen-vl-utils does for RGBA; here for gray, palettes and color keys too;
 * - color profiles and gamma ignored; CMYK turned into RGB by `255 - K` less the ink;
 * - 16 bits a channel cut to their upper 8 (gray too, which Pillow would clip to white); of an animation or a file of several pages the first.
 *
 * Which format it is, is read from the bytes; anything else, SVG above all, is refused. JPEG and lossy WebP lie within 2 levels of
 * Pillow, AVIF within what its halved colors allow.
 *
 * @param source a path, or the bytes of a file
 * @throws VisualToolsError `bad_image` for what is no image of these formats, is damaged, or is too large
 */
export async function readImage(source: string | Uint8Array, options: ReadOptions = {}): Promise<RawImage> {
  const name = typeof source === "string" ? source : `${source.length} bytes`;
  try {
    const bytes = typeof source === "string" ? await readFile(source) : source;
    const image = await decode(bytes, Math.min(options.maxPixels ?? mostPixels, mostPixels));
    checkImage(image);
    return options.keepAlpha ? image : toRgb(image);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new VisualToolsError("bad_image", `cannot read an image from ${name}: ${message}`, { cause: error });
  }
}

/** A pipe or a device would never end. */
async function readFile(path: string): Promise<Uint8Array> {
  await using file = await open(path);
  const { size } = await file.stat().then((found) => (found.isFile() ? found : Promise.reject(new Error("no file"))));
  if (size > maxFileBytes) throw new Error(`the file has ${size} bytes, more than ${maxFileBytes}`);
  return file.readFile();
}

async function decode(bytes: Uint8Array, maxPixels: number): Promise<RawImage> {
  const format = formatOf(bytes);
  if (format === undefined) throw new Error("it is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file");
  return format === "bmp" ? decodeBmp(bytes, maxPixels) : decodeBySharp(bytes, format, maxPixels);
}

async function decodeBySharp(bytes: Uint8Array, format: ImageFormat, maxPixels: number): Promise<RawImage> {
  const sharp = await loadSharp();
  const file = sharp(bytes, { limitInputPixels: maxPixels, failOn: "error", ignoreIcc: true });
  const { format: found, compression, depth, space } = await file.metadata();
  const decoder = found === "heif" && compression === "av1" ? "avif" : found;
  if (decoder !== format) throw new Error(`it begins as ${format}, but is ${decoder}`);
  if (depth !== "uchar" && depth !== "ushort")
    throw new Error(`${depth} samples; convert it to 8 or 16 bits a channel`);
  const upright = file.autoOrient();
  if (space === "cmyk") {
    const cmyk = upright.pipelineColourspace("cmyk").toColourspace("cmyk").raw({ depth: "uchar" });
    const { data, info } = await cmyk.toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: 3, data: cmykToRgb(data) };
  }
  const rgb = upright.toColourspace(depth === "ushort" ? "rgb16" : "srgb").raw({ depth });
  const { data, info } = await rgb.toBuffer({ resolveWithObject: true });
  const samples = depth === "ushort" ? upperBytes(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3, data: samples };
}

/** Of 16-bit little-endian samples. */
function upperBytes(data: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: data.length / 2 }, (_, i) => data[2 * i + 1] ?? 0);
}

/** Pillow's conversion, without a profile: the light that black and the ink leave. */
function cmykToRgb(data: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const [cyan = 0, magenta = 0, yellow = 0, black = 0] = data.subarray(from, from + 4);
    const light = 255 - black;
    rgb.set([light - times(cyan, light), light - times(magenta, light), light - times(yellow, light)], to);
  }
  return new Uint8Array(rgb.buffer);
}

/** `a * b / 255`, rounded, in integers. */
function times(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

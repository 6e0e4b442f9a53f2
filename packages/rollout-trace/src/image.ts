// Images as the packages hand them on: raw pixels, named by their content.
import { z } from "zod";

/** Raw 8-bit pixels, row by row from the top left: `data.length = width * height * channels`; 3 = RGB, 4 = RGBA. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array;
}

/** Names an image without carrying its pixels: what a trace stores. */
export interface ImageRef {
  /** SHA-256 in lower-case hex, see {@link identifyImage}. */
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

/** An image in memory: its pixels and its name. Fits wherever an {@link ImageRef} or a {@link RawImage} is asked for. */
export type Image = RawImage & ImageRef;

const imageRefShape = {
  id: z.string().regex(/^[0-9a-f]{64}$/, "an image id is 64 lower-case hex digits"),
  width: z.int().min(1),
  height: z.int().min(1),
  channels: z.union([z.literal(3), z.literal(4)]),
};

/** What a record on disk holds for an image. */
export const imageRefSchema: z.ZodType<ImageRef> = z.strictObject(imageRefShape);

/** An image in memory. */
export const imageSchema: z.ZodType<Image> = z
  .strictObject({ ...imageRefShape, data: z.instanceof(Uint8Array) })
  .refine(({ width, height, channels, data }) => data.length === width * height * channels, {
    error: ({ input }) => {
      const { width, height, channels, data } = input as Image;
      return `the image holds ${data.length} bytes, not ${width} x ${height} x ${channels}`;
    },
  });

/**
 * The image with its id: the SHA-256 of width, height and channels (each an unsigned 32-bit little-endian number), then the
 * raw pixels. So the id names what a model sees, whatever file the pixels came from.
 *
 * @throws RangeError when `data` does not hold exactly `width * height * channels` bytes
 */
export async function identifyImage(image: RawImage): Promise<Image> {
  const { width, height, channels, data } = image;
  if (data.length !== width * height * channels) {
    throw new RangeError(
      `image data holds ${data.length} bytes, but ${width} x ${height} x ${channels} needs ${width * height * channels}`,
    );
  }
  const bytes = new Uint8Array(12 + data.length);
  const header = new DataView(bytes.buffer);
  for (const [index, value] of [width, height, channels].entries()) header.setUint32(4 * index, value, true);
  bytes.set(data, 12);
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes));
  const id = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, width, height, channels, data };
}

/** Whether a value is what {@link RawImage} says: whole positive sizes, 3 or 4 channels, and as many bytes as they ask for. */
export function isRawImage(value: unknown): value is RawImage {
  const { width, height, channels, data } = (value ?? {}) as Partial<Record<keyof RawImage, unknown>>;
  return (
    typeof width === "number" &&
    typeof height === "number" &&
    Number.isInteger(width) &&
    Number.isInteger(height) &&
    width > 0 &&
    height > 0 &&
    (channels === 3 || channels === 4) &&
    data instanceof Uint8Array &&
    data.length === width * height * channels
  );
}

/**
 * RGB of the image as every part of the house sees it: transparent pixels laid on white with Pillow's rounding, as qwen-vl-utils does.
 * Returns an RGB image as it is.
 */
export function toRgb(image: RawImage): RawImage & { readonly channels: 3 } {
  const { width, height, channels, data: from } = image;
  if (channels === 3) return { width, height, channels, data: from };
  const data = new Uint8Array(width * height * 3);
  for (let at = 0, to = 0; to < data.length; at += 4) {
    const alpha = from[at + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      const sum = (from[at + channel] ?? 0) * alpha + 255 * (255 - alpha) + 128;
      data[to++] = ((sum >> 8) + sum) >> 8; // / 255, rounded, in integers
    }
  }
  return { width, height, channels: 3, data };
}

/** The part of an image that a trace stores. */
export function imageRef({ id, width, height, channels }: ImageRef): ImageRef {
  return { id, width, height, channels };
}

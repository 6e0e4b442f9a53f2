/** Images as the packages hand them on: raw pixels, named by their content. */
import { z } from "zod";

/** Raw 8-bit pixels, row by row from the top left: `data.length = width * height * channels`; 3 = RGB, 4 = RGBA. */
export type RawImage = {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array;
};

/** Names an image without carrying its pixels: what a trace stores. */
export type ImageRef = {
  /** SHA-256 in lower-case hex, see {@link identifyImage}. */
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
};

/** An image in memory: its pixels and its name. Fits wherever an {@link ImageRef} or a {@link RawImage} is asked for. */
export type Image = RawImage & ImageRef;

/** What a record holds for an image: the reference on disk, the pixels in memory. */
export const imageRefSchema: z.ZodType<ImageRef> = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{64}$/, "an image id is 64 lower-case hex digits"),
  width: z.int().min(1),
  height: z.int().min(1),
  channels: z.union([z.literal(3), z.literal(4)]),
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

/** The part of an image that a trace stores. */
export function imageRef({ id, width, height, channels }: ImageRef): ImageRef {
  return { id, width, height, channels };
}

/** Plain operations on raw pixels. */
import type { RawImage } from "@iapo/rollout-trace";
import { VisualToolsError } from "../error.ts";

/** @throws VisualToolsError `bad_image` unless the sizes are positive integers and `data` has the bytes they ask for */
export function checkImage(image: RawImage): void {
  const { width, height, channels, data } = image;
  const sound =
    Number.isInteger(width) &&
    Number.isInteger(height) &&
    width > 0 &&
    height > 0 &&
    (channels === 3 || channels === 4) &&
    data instanceof Uint8Array &&
    data.length === width * height * channels;
  if (!sound) {
    throw new VisualToolsError(
      "bad_image",
      `not a raw image: ${width} x ${height} with ${channels} channels and ${data?.length} bytes`,
    );
  }
}

/** The same picture in bytes of its own. */
export function copyImage(image: RawImage): RawImage {
  return { ...image, data: image.data.slice() };
}

/** RGB of the image; an alpha channel is dropped, not blended, as a vision model's processor does. Returns an RGB image as it is. */
export function toRgb(image: RawImage): RawImage {
  if (image.channels === 3) return image;
  const { width, height, data: rgba } = image;
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from]!;
    data[to + 1] = rgba[from + 1]!;
    data[to + 2] = rgba[from + 2]!;
  }
  return { width, height, channels: 3, data };
}

/** RGBA of the image, opaque where it had no alpha channel; always in bytes of its own. */
export function toRgba(image: RawImage): RawImage {
  if (image.channels === 4) return copyImage(image);
  const { width, height, data: rgb } = image;
  const data = new Uint8Array(width * height * 4);
  for (let from = 0, to = 0; to < data.length; from += 3, to += 4) {
    data[to] = rgb[from]!;
    data[to + 1] = rgb[from + 1]!;
    data[to + 2] = rgb[from + 2]!;
    data[to + 3] = 255;
  }
  return { width, height, channels: 4, data };
}

/** Whether two images have the same size and the same RGB values; alpha does not count. */
export function sameRgb(a: RawImage, b: RawImage): boolean {
  if (a.width !== b.width || a.height !== b.height) return false;
  if (a.data === b.data) return true;
  const pixels = a.width * a.height;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const i = pixel * a.channels;
    const j = pixel * b.channels;
    if (a.data[i] !== b.data[j] || a.data[i + 1] !== b.data[j + 1] || a.data[i + 2] !== b.data[j + 2]) return false;
  }
  return true;
}

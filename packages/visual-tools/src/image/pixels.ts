// Plain operations on raw pixels.
import { isRawImage, type RawImage, toRgb } from "@iapo/rollout-trace";
import { VisualToolsError } from "../error.ts";

/** @throws VisualToolsError `bad_image` unless the sizes are positive integers and `data` has the bytes they ask for */
export function checkImage(image: RawImage): void {
  if (isRawImage(image)) return;
  const { width, height, channels, data } = (image ?? {}) as Partial<RawImage>;
  throw new VisualToolsError(
    "bad_image",
    `not a raw image: ${width} x ${height} with ${channels} channels and ${data?.length} bytes`,
  );
}

/** The same picture in bytes of its own. */
export function copyImage(image: RawImage): RawImage {
  return { ...image, data: image.data.slice() };
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

/** Whether two images have the same size and look the same: {@link toRgb} of both is equal. */
export function sameRgb(one: RawImage, other: RawImage): boolean {
  if (one.width !== other.width || one.height !== other.height) return false;
  if (one.data === other.data) return true;
  const { data } = toRgb(other);
  return toRgb(one).data.every((value, i) => value === data[i]);
}

// Translucent red rectangles over an image, in the integer arithmetic of Pillow's alpha_composite.
import type { RawImage } from "@iapo/rollout-trace";
import { clip, type Rectangle } from "./draw.ts";
import { copyImage } from "./pixels.ts";

const red: readonly [number, number, number, number] = [255, 0, 0, 50];

/** x / 255 for the fixed-point sums below: round down after two shifts, as the C code does. */
const divide255 = (x: number): number => ((x >> 8) + x) >> 8;

/** Writes `source over backdrop`, both not premultiplied, at byte `at` of `target`. Colors carry 7 extra bits. */
function over(source: ArrayLike<number>, from: number, backdrop: Uint8Array, target: Uint8Array, at: number): void {
  const sourceAlpha = source[from + 3]!;
  if (sourceAlpha === 0) return;
  const alpha255 = sourceAlpha * 255 + backdrop[at + 3]! * (255 - sourceAlpha);
  const weight = Math.floor((sourceAlpha * 255 * 255 * 128) / alpha255);
  const rest = 255 * 128 - weight;
  for (let channel = 0; channel < 3; channel++) {
    const sum = source[from + channel]! * weight + backdrop[at + channel]! * rest;
    target[at + channel] = divide255(sum + (0x80 << 7)) >> 7;
  }
  target[at + 3] = divide255(alpha255 + 0x80);
}

/** For an opaque backdrop: the value after blending, by value before. */
function opaqueTable(color: number): Uint8Array {
  const table = new Uint8Array(256);
  const backdrop = Uint8Array.of(0, 0, 0, 255);
  for (let value = 0; value < 256; value++) {
    backdrop[0] = value;
    over([color, 0, 0, red[3]], 0, backdrop, backdrop, 0);
    table[value] = backdrop[0]!;
  }
  return table;
}

const redTable = opaqueTable(red[0]);
const otherTable = opaqueTable(0);

/**
 * A new image with the rectangles tinted; overlaps are tinted once. It has an alpha channel where the image has one: on an opaque
 * image the result is opaque. Else a copy of the image with the rectangles painted in is composited over the image, so that
 * translucent pixels outside of them grow more opaque too, as they do in the published tools.
 */
export function highlightRectangles(image: RawImage, rectangles: readonly Rectangle[]): RawImage {
  const result = copyImage(image);
  if (image.channels === 4) {
    for (let at = 0; at < image.data.length; at += 4) {
      if (image.data[at + 3] !== 255) over(image.data, at, image.data, result.data, at);
    }
  }
  for (const rectangle of rectangles) {
    const inside = clip(rectangle, image);
    if (inside === undefined) continue;
    for (let row = inside.top; row <= inside.bottom; row++) {
      tintRow(image, result.data, row * image.width + inside.left, row * image.width + inside.right);
    }
  }
  return result;
}

/** Tints the pixels `first` to `last` of one row of `target`, from the values of `image`. */
function tintRow({ channels, data }: RawImage, target: Uint8Array, first: number, last: number): void {
  for (let at = first * channels; at <= last * channels; at += channels) {
    if (channels === 4 && data[at + 3] !== 255) {
      over(red, 0, data, target, at);
    } else {
      target[at] = redTable[data[at]!]!;
      target[at + 1] = otherTable[data[at + 1]!]!;
      target[at + 2] = otherTable[data[at + 2]!]!;
    }
  }
}

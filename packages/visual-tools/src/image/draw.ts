// Filled and outlined rectangles, clipped to the image, pixel for pixel as Pillow's ImageDraw paints them.
import type { RawImage } from "@iapo/rollout-trace";

/** Inclusive corners in whole pixels, `left <= right` and `top <= bottom`; they may lie outside of the image. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The part of a rectangle inside the image, or undefined where there is none. */
export function clip({ left, top, right, bottom }: Rectangle, { width, height }: RawImage): Rectangle | undefined {
  const inside = {
    left: Math.max(left, 0),
    top: Math.max(top, 0),
    right: Math.min(right, width - 1),
    bottom: Math.min(bottom, height - 1),
  };
  return inside.left <= inside.right && inside.top <= inside.bottom ? inside : undefined;
}

/** Pixels of a clipped rectangle. */
export function area(inside: Rectangle | undefined): number {
  return inside === undefined ? 0 : (inside.right - inside.left + 1) * (inside.bottom - inside.top + 1);
}

/** Paints an opaque rectangle onto the image's own bytes. */
export function fillRectangle(image: RawImage, rectangle: Rectangle, rgb: readonly [number, number, number]): void {
  const inside = clip(rectangle, image);
  if (inside === undefined) return;
  const { width, channels, data } = image;
  const start = (inside.top * width + inside.left) * channels;
  const end = (inside.top * width + inside.right + 1) * channels;
  for (let i = start; i < end; i += channels) {
    data[i] = rgb[0];
    data[i + 1] = rgb[1];
    data[i + 2] = rgb[2];
    if (channels === 4) data[i + 3] = 255;
  }
  const stride = width * channels;
  for (let row = inside.top + 1; row <= inside.bottom; row++) {
    data.copyWithin(start + (row - inside.top) * stride, start, end);
  }
}

/**
 * Paints an outline that grows inwards. Where the rectangle is thinner than the outline, lines run past its far edge, and the
 * upright ones (whose last pixel is left out) turn round: so Pillow does it.
 */
export function outlineRectangle(
  image: RawImage,
  { left, top, right, bottom }: Rectangle,
  rgb: readonly [number, number, number],
  thickness: number,
): void {
  fillRectangle(image, { left, right, top, bottom: top + thickness - 1 }, rgb);
  fillRectangle(image, { left, right, top: bottom - thickness + 1, bottom }, rgb);
  const from = top + thickness;
  const to = bottom - thickness + 1;
  if (from === to) return;
  const upright = from < to ? { top: from, bottom: to - 1 } : { top: to + 1, bottom: from };
  fillRectangle(image, { ...upright, left, right: left + thickness - 1 }, rgb);
  fillRectangle(image, { ...upright, left: right - thickness + 1, right }, rgb);
}

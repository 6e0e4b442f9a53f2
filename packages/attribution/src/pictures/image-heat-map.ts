// Scores of an image's visual tokens, over the image.
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import type { Numbers } from "../math/token-scores.ts";
import { blue, mix, orange, placeOf, scaleLimit } from "./color.ts";

/** Rows of pixels, one byte a channel, as @iapo/visual-tools has them. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array;
}

/** How the visual tokens lie, in rows from the top left: for Qwen2.5-VL the patch grid over the merge size. */
export interface ImageGrid {
  readonly rows: number;
  readonly columns: number;
}

/** How much of the color's end covers the strongest places. */
const strongest = 0.75;

/**
 * The image in shades of gray, so that no color of its own is taken for a score, and over it the scores: interpolated bilinearly between
 * the centers of the tokens' cells, orange above 0, blue below, the stronger the more opaque. RGB; transparent parts are white.
 * @throws AttributionError `shape` where pixels, grid and scores do not belong together, `argument` for scores that are not finite
 */
export function imageHeatMap(image: Pixels, scores: Numbers, { rows, columns }: ImageGrid): Pixels {
  const { width, height, channels, data } = image;
  const sizes = [width, height, rows, columns];
  if (!sizes.every((size) => Number.isInteger(size) && size > 0) || data.length !== width * height * channels) {
    throw new AttributionError(
      "shape",
      `${data.length} bytes are no image of ${width} x ${height} pixels of ${channels} channels in ${rows} x ${columns} cells`,
    );
  }
  if (scores.length !== rows * columns) {
    throw new AttributionError("shape", `${scores.length} scores came for ${rows} x ${columns} visual tokens`);
  }
  const limit = scaleLimit(scores);
  const place = (row: number, column: number): number => placeOf(at(scores, row * columns + column), limit);
  const across = Array.from({ length: width }, (_, x) => between(x, width, columns));
  const made = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = between(y, height, rows);
    for (const [x, [left, right, along]] of across.entries()) {
      const above = place(top, left) * (1 - along) + place(top, right) * along;
      const below = place(bottom, left) * (1 - along) + place(bottom, right) * along;
      const value = above * (1 - down) + below * down;
      const gray = grayOf(data, (y * width + x) * channels, channels);
      const end = value < 0 ? blue : orange;
      made.set(mix([gray, gray, gray], end, strongest * Math.abs(value)), (y * width + x) * 3);
    }
  }
  return { width, height, channels: 3, data: made };
}

/** The two cells between whose centers a pixel's center lies, and the share of the second; beyond the outer centers, the outer cell. */
function between(
  pixel: number,
  pixels: number,
  cells: number,
): readonly [first: number, second: number, share: number] {
  const at = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) * cells) / pixels - 0.5));
  const first = Math.floor(at);
  return [first, Math.min(cells - 1, first + 1), at - first];
}

/** Luma (ITU-R BT.601), over white. */
function grayOf(data: Uint8Array, start: number, channels: 3 | 4): number {
  const luma = 0.299 * at(data, start) + 0.587 * at(data, start + 1) + 0.114 * at(data, start + 2);
  const opacity = channels === 4 ? at(data, start + 3) / 255 : 1;
  return luma * opacity + 255 * (1 - opacity);
}

// A picture for people: pairs of images, before and after, side by side.
import { type RawImage, toRgb } from "@iapo/rollout-trace";
import { VisualToolsError } from "../error.ts";
import { checkImage } from "./pixels.ts";

export type BeforeAfter = { readonly before: RawImage; readonly after: RawImage };

export interface ContactSheetOptions {
  /** Pairs in a row. Default 1. */
  readonly columns?: number;
  /** Pixels between the images of a pair; twice as many between pairs and around them all. Default 4. */
  readonly gap?: number;
}

const background = 160;

function paste(sheet: RawImage, image: RawImage, left: number, top: number): void {
  const { width, height, data } = toRgb(image);
  for (let row = 0; row < height; row++) {
    sheet.data.set(data.subarray(row * width * 3, (row + 1) * width * 3), ((top + row) * sheet.width + left) * 3);
  }
}

/**
 * One RGB image of all pairs, `before | after`, row by row on gray. Every pair gets the space of the largest;
 * transparent pixels lie on white, as the model sees them.
 *
 * @throws VisualToolsError `bad_image` where there is no pair, or an image is none
 */
export function contactSheet(pairs: readonly BeforeAfter[], options: ContactSheetOptions = {}): RawImage {
  const { columns = 1, gap = 4 } = options;
  if (pairs.length === 0) throw new VisualToolsError("bad_image", "a contact sheet needs at least one pair of images");
  const images = pairs.flatMap(({ before, after }) => [before, after]);
  for (const image of images) checkImage(image);
  const cellWidth = Math.max(...images.map((image) => image.width));
  const cellHeight = Math.max(...images.map((image) => image.height));
  const pairWidth = 2 * cellWidth + 3 * gap;
  const pairHeight = cellHeight + 2 * gap;
  const width = Math.min(columns, pairs.length) * pairWidth + 2 * gap;
  const height = Math.ceil(pairs.length / columns) * pairHeight + 2 * gap;
  const sheet: RawImage = { width, height, channels: 3, data: new Uint8Array(width * height * 3).fill(background) };
  for (const [index, { before, after }] of pairs.entries()) {
    const left = (index % columns) * pairWidth + 2 * gap;
    const top = Math.floor(index / columns) * pairHeight + 2 * gap;
    paste(sheet, before, left, top);
    paste(sheet, after, left + cellWidth + gap, top);
  }
  return sheet;
}

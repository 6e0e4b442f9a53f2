// A picture for people: the boxes of a task drawn onto its image.
import type { RawImage } from "@iapo/rollout-trace";
import { type NamedBox, toRgb } from "@iapo/visual-tools";
import type { VisualContent } from "../task.ts";

const columnColor = [220, 30, 30] as const;
const rowColor = [30, 80, 220] as const;
const WIDTH = 2;

/** Columns in red, rows in blue, two pixels wide. The image itself stays as it is. */
export function withBoxes({
  image,
  columns,
  rows,
}: Pick<VisualContent, "columns" | "rows"> & { image: RawImage }): RawImage {
  const picture = toRgb(image);
  const drawn = { ...picture, data: picture.data.slice() };
  for (const box of rows) outline(drawn, box, rowColor);
  for (const box of columns) outline(drawn, box, columnColor);
  return drawn;
}

function outline(image: RawImage, { x1, y1, x2, y2 }: NamedBox, color: readonly number[]): void {
  const [left, top, right, bottom] = [Math.round(x1), Math.round(y1), Math.round(x2), Math.round(y2)];
  for (let d = 0; d < WIDTH; d++) {
    for (const y of [top + d, bottom - d]) paint(image, left, right, y, y, color);
    for (const x of [left + d, right - d]) paint(image, x, x, top, bottom, color);
  }
}

/** Inclusive corners, clipped to the image. */
function paint(image: RawImage, x1: number, x2: number, y1: number, y2: number, color: readonly number[]): void {
  for (let y = Math.max(0, y1); y <= Math.min(image.height - 1, y2); y++) {
    for (let x = Math.max(0, x1); x <= Math.min(image.width - 1, x2); x++)
      image.data.set(color, 3 * (y * image.width + x));
  }
}

/** The picture with at most `side` pixels on its longer side, each of them one of the picture's own; itself where it is no larger. */
export function thumbnail(image: RawImage, side: number): RawImage {
  const scale = side / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const { channels, data } = image;
  const small = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * image.height) / height) * image.width;
    for (let x = 0; x < width; x++) {
      const from = channels * (row + Math.floor(((x + 0.5) * image.width) / width));
      small.set(data.subarray(from, from + channels), channels * (y * width + x));
    }
  }
  return { width, height, channels, data: small };
}

// The size an image is scaled to, and the patches it becomes (docs/qwen2.5-vl.md "Image processor").
import type { PreprocessorConfig } from "../config/preprocessor-config.ts";
import { QwenVLError } from "../error.ts";

/** Frames, patch rows and patch columns of one image: Hugging Face's `image_grid_thw`. Still images have one frame. */
export type ImageGrid = readonly [frames: number, height: number, width: number];

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Sides may differ by this factor at most. */
const MAX_ASPECT_RATIO = 200;

/** Python's `round`: to the nearest whole number, halves to the even one. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * The nearest size whose sides are multiples of `factor` pixels and whose area lies within the limits, the aspect ratio kept as far as
 * that allows.
 * @throws QwenVLError `image` for an empty image or one whose sides differ by more than 200 times.
 */
export function smartResize(
  { width, height }: ImageSize,
  { factor, minPixels, maxPixels }: { factor: number; minPixels: number; maxPixels: number },
): ImageSize {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new QwenVLError("image", `an image of ${width} x ${height} pixels has no area`);
  }
  if (Math.max(width, height) / Math.min(width, height) > MAX_ASPECT_RATIO) {
    throw new QwenVLError(
      "image",
      `${width} x ${height} pixels: sides must not differ by more than ${MAX_ASPECT_RATIO} times`,
    );
  }
  const rounded = { width: roundHalfEven(width / factor) * factor, height: roundHalfEven(height / factor) * factor };
  const area = rounded.width * rounded.height;
  if (area > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const side = (length: number): number => Math.max(factor, Math.floor(length / shrink / factor) * factor);
    return { width: side(width), height: side(height) };
  }
  if (area < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    const side = (length: number): number => Math.ceil((length * grow) / factor) * factor;
    return { width: side(width), height: side(height) };
  }
  return rounded;
}

/** The size an image is scaled to under a checkpoint's settings. @throws QwenVLError `image`. */
export function resizedSize(size: ImageSize, config: PreprocessorConfig): ImageSize {
  const { patchSize, mergeSize, minPixels, maxPixels } = config;
  return smartResize(size, { factor: patchSize * mergeSize, minPixels, maxPixels });
}

/** The grid of patches that an image of this size becomes. @throws QwenVLError `image`. */
export function imageGrid(size: ImageSize, config: PreprocessorConfig): ImageGrid {
  const { width, height } = resizedSize(size, config);
  return [1, height / config.patchSize, width / config.patchSize];
}

/** Rows that an image takes in the text model: one per merged cell. */
export function imageTokenCount([frames, height, width]: ImageGrid, mergeSize: number): number {
  return (frames * height * width) / mergeSize ** 2;
}

/** Merged cells of a still image. @throws QwenVLError `video` for a grid of several frames, `image` for one that does not divide into cells */
export function cellsOf([frames, height, width]: ImageGrid, merge: number): [rows: number, columns: number] {
  if (frames !== 1) throw new QwenVLError("video", `a grid of ${frames} frames: video is not supported`);
  const cells: [number, number] = [height / merge, width / merge];
  if (!cells.every((count) => Number.isInteger(count) && count > 0)) {
    throw new QwenVLError(
      "image",
      `a grid of ${height} x ${width} patches does not divide into cells of ${merge} x ${merge}`,
    );
  }
  return cells;
}

/** Row and column of each patch of a cell, in the order of the processor. */
export function patchCoordinates(row: number, column: number, merge: number): number[] {
  return Array.from({ length: merge * merge }, (_, patch) => [
    row * merge + Math.floor(patch / merge),
    column * merge + (patch % merge),
  ]).flat();
}

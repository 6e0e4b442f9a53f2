// From raw pixels to the patches that the vision tower reads.
import { isRawImage, type RawImage, toRgb } from "@iapo/rollout-trace";
import type { PreprocessorConfig } from "../config/preprocessor-config.ts";
import { QwenVLError } from "../error.ts";
import { resizeBicubic } from "./bicubic.ts";
import { type ImageGrid, type ImageSize, resizedSize } from "./smart-resize.ts";

/** An image as the vision tower reads it. */
export interface ImagePatches {
  /**
   * `[patches, 3 * frames * patchSize * patchSize]`, column = channel, frame, y, x. Patches go by merged cell (row-major), within a cell
   * row-major, so that the `mergeSize²` patches of a cell follow one another.
   */
  readonly values: Float32Array<ArrayBuffer>;
  /** Frames in `values`: 1 stands for `temporalPatchSize` equal ones. */
  readonly frames: number;
  readonly grid: ImageGrid;
}

/** @throws QwenVLError `image` for what is no `RawImage`: 3 or 4 channels, one byte a sample. */
export function checkImage(image: unknown): RawImage {
  if (isRawImage(image)) return image;
  const { width, height, channels, data } = (image ?? {}) as Partial<RawImage>;
  const kind = (data as unknown)?.constructor?.name ?? typeof image;
  throw new QwenVLError(
    "image",
    `expected raw pixels { width, height, channels: 3 or 4, data: Uint8Array }, got ${kind} of ${data?.length} samples for ${width} x ${height} pixels of ${channels} channels; readImage of @iapo/visual-tools/sharp reads files`,
  );
}

/** RGB bytes of the image at the size under which the model sees it. @throws QwenVLError `image`. */
export function resizeForModel(image: RawImage, config: PreprocessorConfig): ImageSize & { readonly data: Uint8Array } {
  const { data } = toRgb(checkImage(image));
  const size = resizedSize(image, config);
  return { ...size, data: resizeBicubic(data, image, size) };
}

/** Scales, normalizes and cuts an image into patches. @throws QwenVLError `image`. */
export function processImage(image: RawImage, config: PreprocessorConfig): ImagePatches {
  const { width, height, data } = resizeForModel(image, config);
  const { patchSize, mergeSize } = config;
  const grid: ImageGrid = [1, height / patchSize, width / patchSize];
  const tables = normalizedValues(config);
  const values = new Float32Array(grid[1] * grid[2] * 3 * patchSize * patchSize);
  let out = 0;
  for (let cellRow = 0; cellRow < grid[1]; cellRow += mergeSize) {
    for (let cellColumn = 0; cellColumn < grid[2]; cellColumn += mergeSize) {
      for (let patch = 0; patch < mergeSize * mergeSize; patch++) {
        const top = (cellRow + Math.floor(patch / mergeSize)) * patchSize;
        const left = (cellColumn + (patch % mergeSize)) * patchSize;
        for (const [channel, table] of tables.entries()) {
          for (let y = top; y < top + patchSize; y++) {
            let at = (y * width + left) * 3 + channel;
            for (let x = 0; x < patchSize; x++, at += 3) values[out++] = table[data[at] ?? 0] ?? 0;
          }
        }
      }
    }
  }
  return { values, frames: 1, grid };
}

/** What each of the 256 byte values becomes, per channel; rounded to float32 at the steps where the published processor rounds. */
function normalizedValues({ imageMean, imageStd, rescaleFactor }: PreprocessorConfig): Float32Array[] {
  const [red, green, blue] = imageStd;
  return [red, green, blue].map((deviation, channel) =>
    Float32Array.from({ length: 256 }, (_, byte) => {
      const centered = Math.fround(Math.fround(byte * rescaleFactor) - Math.fround(imageMean[channel] ?? 0));
      return centered / Math.fround(deviation);
    }),
  );
}

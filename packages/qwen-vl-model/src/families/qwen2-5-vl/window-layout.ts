// Where the patches of a batch of images lie in the vision tower: window order, attention segments, rotary tables (docs/qwen2.5-vl.md "Vision tower").
import { type RotaryTables, visionRotaryTables } from "../../processor/rotary.ts";
import { cellsOf, type ImageGrid, patchCoordinates } from "../../processor/smart-resize.ts";
import type { Qwen25VisionConfig } from "./config.ts";

/** Cells are merge groups of `spatialMergeSize²` patches that follow one another; all images lie on one axis. */
export interface VisionLayout extends RotaryTables {
  /** `[cells]`: the cell, in processor order, that comes to each place in window order. */
  readonly windowOrder: Int32Array<ArrayBuffer>;
  /** `[cells]`: the inverse of `windowOrder`. */
  readonly imageOrder: Int32Array<ArrayBuffer>;
  /** First patch of each attention window in window order, ascending from 0; ends with the number of patches. */
  readonly windowStarts: Int32Array<ArrayBuffer>;
  /** First patch of each image, likewise: the segments of full attention. */
  readonly imageStarts: Int32Array<ArrayBuffer>;
}

/**
 * The layout of still images. The rotary tables are in window order, `[patches, headDim / 2]`.
 * @throws QwenVLError `video` for a grid of several frames, `image` for one that does not divide into cells.
 */
export function visionLayout(config: Qwen25VisionConfig, grids: readonly ImageGrid[]): VisionLayout {
  const merge = config.spatialMergeSize;
  const windowSide = config.windowSize / config.patchSize / merge;
  const cellPatches = merge * merge;
  const windowOrder: number[] = [];
  const coordinates: number[] = [];
  const windowStarts = [0];
  const imageStarts = [0];
  for (const grid of grids) {
    const [rows, columns] = cellsOf(grid, merge);
    const firstCell = windowOrder.length;
    for (let top = 0; top < rows; top += windowSide) {
      for (let left = 0; left < columns; left += windowSide) {
        for (let row = top; row < Math.min(rows, top + windowSide); row++) {
          for (let column = left; column < Math.min(columns, left + windowSide); column++) {
            windowOrder.push(firstCell + row * columns + column);
            coordinates.push(...patchCoordinates(row, column, merge));
          }
        }
        windowStarts.push(windowOrder.length * cellPatches);
      }
    }
    imageStarts.push(windowOrder.length * cellPatches);
  }
  const imageOrder = new Int32Array(windowOrder.length);
  for (const [place, cell] of windowOrder.entries()) imageOrder[cell] = place;
  return {
    ...visionRotaryTables(config, Int32Array.from(coordinates)),
    windowOrder: Int32Array.from(windowOrder),
    imageOrder,
    windowStarts: Int32Array.from(windowStarts),
    imageStarts: Int32Array.from(imageStarts),
  };
}

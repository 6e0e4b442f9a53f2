// Where the patches of a batch of images lie in Qwen3-VL's tower: rotary tables, segments, and which rows of the table of learned positions each
// patch takes its own from (docs/qwen3-vl.md "Vision tower").
import { type RotaryTables, visionRotaryTables } from "../../processor/rotary.ts";
import { cellsOf, type ImageGrid, patchCoordinates } from "../../processor/smart-resize.ts";
import type { Qwen3VisionConfig } from "./config.ts";

/** Rows of a table and what each counts, `[patches]` each: one of the four corners around every patch. */
export interface PositionTap {
  readonly rows: Int32Array<ArrayBuffer>;
  readonly weights: Float32Array<ArrayBuffer>;
}

export interface PositionLayout extends RotaryTables {
  /** In the order of their sum: upper left, upper right, lower left, lower right. */
  readonly taps: readonly PositionTap[];
  /** First patch of each image, ascending from 0; ends with the number of patches. */
  readonly imageStarts: Int32Array<ArrayBuffer>;
}

/** The layout of still images, in the order of the processor. @throws QwenVLError `video`, `image` as `cellsOf` */
export function positionLayout(config: Qwen3VisionConfig, grids: readonly ImageGrid[]): PositionLayout {
  const merge = config.spatialMergeSize;
  const side = config.positionSide;
  const coordinates: number[] = [];
  const imageStarts = [0];
  const taps = Array.from({ length: 4 }, () => ({ rows: [] as number[], weights: [] as number[] }));
  for (const grid of grids) {
    const [rows, columns] = cellsOf(grid, merge);
    const [vertical, horizontal] = [stops(rows * merge, side), stops(columns * merge, side)];
    for (let cell = 0; cell < rows * columns; cell++) {
      const patches = patchCoordinates(Math.floor(cell / columns), cell % columns, merge);
      coordinates.push(...patches);
      for (let i = 0; i < patches.length; i += 2) {
        const [y, x] = [vertical[patches[i] ?? 0], horizontal[patches[i + 1] ?? 0]] as [Stop, Stop];
        const corners = [y.before, y.after].flatMap((row) => [x.before, x.after].map((column) => ({ row, column })));
        for (const [k, { row, column }] of corners.entries()) {
          taps[k]?.rows.push(row.at * side + column.at);
          taps[k]?.weights.push(Math.fround(row.weight * column.weight));
        }
      }
    }
    imageStarts.push(coordinates.length / 2);
  }
  return {
    ...visionRotaryTables(config, Int32Array.from(coordinates)),
    taps: taps.map(({ rows, weights }) => ({ rows: Int32Array.from(rows), weights: Float32Array.from(weights) })),
    imageStarts: Int32Array.from(imageStarts),
  };
}

/** Where one patch of an axis lies between two entries of the table. */
interface Stop {
  readonly before: { readonly at: number; readonly weight: number };
  readonly after: { readonly at: number; readonly weight: number };
}

/** `count` patches spread over `side` entries so that the first and the last meet the table's first and last (align_corners). */
function stops(count: number, side: number): Stop[] {
  const step = count === 1 ? 0 : (side - 1) / (count - 1);
  return Array.from({ length: count }, (_, i) => {
    const source = Math.fround(i === count - 1 && count > 1 ? side - 1 : i * step);
    const at = Math.floor(source);
    const weight = Math.fround(source - at);
    return {
      before: { at, weight: Math.fround(1 - weight) },
      after: { at: Math.min(at + 1, side - 1), weight },
    };
  });
}

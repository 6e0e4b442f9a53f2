// Rotary tables, made on the CPU. Frequencies and angles are rounded to float32 where the published implementation rounds them (at
// position 1e5 that moves an angle by 4e-3), cosines and sines are taken in float64 (docs/qwen2.5-vl.md "Text model", "Vision tower").
import type { TextConfig, VisionConfig } from "../config/types.ts";

/** `[rows, headDim / 2]` each, row-major. Column j turns elements j and j + headDim / 2 of a head. */
export interface RotaryTables {
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
}

/** `theta^(-2j / size)` for j below `size / 2`. */
function inverseFrequencies(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, j) => 1 / Math.fround(theta ** Math.fround((2 * j) / size)));
}

/** Tables from the angle's position and frequency at each row and column. */
function tables(
  rows: number,
  frequencies: Float32Array,
  positionAt: (row: number, column: number) => number,
): RotaryTables {
  const columns = frequencies.length;
  const cos = new Float32Array(rows * columns);
  const sin = new Float32Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const angle = Math.fround(positionAt(row, column) * (frequencies[column] ?? 0));
      cos[at] = Math.cos(angle);
      sin[at] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/**
 * Tables of the text decoder.
 * @param positions `[rows, 3]` flattened: time, height, width; the sections say which frequencies turn with which
 */
export function textRotaryTables(config: TextConfig, positions: Int32Array): RotaryTables {
  const rows = positions.length / 3;
  const axes = frequencyAxes(config);
  const frequencies = inverseFrequencies(config.ropeTheta, config.headDim);
  return tables(rows, frequencies, (row, column) => positions[3 * row + (axes[column] ?? 0)] ?? 0);
}

/** The position, 0 to 2, that each frequency turns with (docs/qwen2.5-vl.md "Text model"). */
function frequencyAxes({ mropeSection, mropeInterleaved }: TextConfig): number[] {
  const inSections = mropeSection.flatMap((count, axis) => new Array<number>(count).fill(axis));
  if (!mropeInterleaved) return inSections;
  return inSections.map((_, j) => (j < 3 * (mropeSection[j % 3] ?? 0) ? j % 3 : 0));
}

/**
 * Tables of the vision tower: the first half of the frequencies turns with the patch's row, the second with its column.
 * @param coordinates `[patches, 2]` flattened: row, column
 */
export function visionRotaryTables(config: VisionConfig, coordinates: Int32Array): RotaryTables {
  const perAxis = inverseFrequencies(config.ropeTheta, config.headDim / 2);
  const frequencies = Float32Array.from([...perAxis, ...perAxis]);
  return tables(coordinates.length / 2, frequencies, (row, column) => {
    return coordinates[2 * row + (column < perAxis.length ? 0 : 1)] ?? 0;
  });
}

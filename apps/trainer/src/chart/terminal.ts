// A curve in the terminal, two by four dots to a character (Braille patterns, U+2800 and on).
import { logScale } from "@iapo/viewer";

/** Bit of each dot of a Braille character, by row and column. */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** `values` from left to right on a logarithmic scale, with its bounds at the left and the steps below. */
export function drawCurve(values: readonly number[], width = 60, height = 10): string {
  const scale = logScale(values);
  const cells = Array.from({ length: height }, () => new Uint8Array(width));
  let previous: number | undefined;
  for (let x = 0; x < width * 2; x++) {
    const value = values[Math.round((x / (width * 2 - 1)) * (values.length - 1))] as number;
    const y = Math.round((1 - scale.position(value)) * (height * 4 - 1));
    // From the dot before to this one, so that the curve has no gaps.
    for (let at = Math.min(previous ?? y, y); at <= Math.max(previous ?? y, y); at++) {
      const row = cells[at >> 2] as Uint8Array;
      row[x >> 1] = (row[x >> 1] as number) | ((dots[at & 3] as (typeof dots)[0])[x & 1] as number);
    }
    previous = y;
  }
  const label = (row: number): string => {
    if (row === 0) return scale.high.toExponential(0);
    return row === height - 1 ? scale.low.toExponential(0) : "";
  };
  const lines = cells.map(
    (row, i) => `${label(i).padStart(6)} ┤${String.fromCodePoint(...Array.from(row, (bits) => 0x2800 + bits))}`,
  );
  const last = String(values.length);
  return [...lines, `${" ".repeat(6)} └${"─".repeat(width)}`, `${" ".repeat(8)}1${last.padStart(width - 1)}`].join(
    "\n",
  );
}

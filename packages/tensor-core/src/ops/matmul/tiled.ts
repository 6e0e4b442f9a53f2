// Software adapters: operands that are not K-major are packed for the tile kernel, or read as they lie.
import type { Device } from "../../device/device.ts";
import type { Tensor } from "../../tensor.ts";
import { kMajor, type Stored } from "./pack.ts";
import type { Problem } from "./problem.ts";
import { dispatchStridedTile, dispatchTile, TILE_COLUMNS } from "./tile.ts";

/** Bytes of b that are packed at a time. */
const STRIP_BYTES = 4 << 20;
/** Multiply-adds for each element that is packed, from which on it pays: more where a alone is, as neighboring lanes then read neighboring columns of b. */
const WORTH_PACKING = { both: 256, a: 320 } as const;

/** Whether b's rows are not K-major, or cannot be read by fours. */
const packsB = ({ layout, b, n }: Problem): boolean => layout === "nt" || b.dtype === "bf16" || n % 4 !== 0;

function paysToPack(problem: Problem): boolean {
  const { layout, m, n } = problem;
  const ofA = layout === "tn" ? 0 : m; // k times
  return packsB(problem) ? (ofA + n) * WORTH_PACKING.both <= m * n : ofA * WORTH_PACKING.a <= m * n;
}

/** b goes strip by strip where it is packed, which bounds the memory and keeps a strip in cache. The bits are those of `packs: false`. */
export function dispatchTiled(device: Device, problem: Problem, packs: boolean = paysToPack(problem)): void {
  if (!packs) {
    dispatchStridedTile(device, problem);
    return;
  }
  const { layout, n, k, batch, biasStart, outColumns } = problem;
  const ofA: Tensor[] = [];
  const a = kMajor(device, storedA(problem), layout !== "tn", ofA);
  const columns = Math.max(1, Math.floor(STRIP_BYTES / (batch * k * 4) / TILE_COLUMNS)) * TILE_COLUMNS;
  const strip = packsB(problem) ? columns : n;
  for (let column = 0; column < n; column += strip) {
    const part = {
      ...problem,
      n: Math.min(strip, n - column),
      biasStart: biasStart + column,
      outColumns: { ...outColumns, column: outColumns.column + column },
    };
    const ofStrip: Tensor[] = [];
    device.packed?.touch(a.tensor); // it is used again: a strip of b does not push it out
    dispatchTile(device, part, a, kMajor(device, storedB(problem, column, part.n), layout === "nt", ofStrip));
    for (const tensor of ofStrip) tensor.dispose();
  }
  for (const tensor of ofA) tensor.dispose();
}

function storedA({ layout, a: tensor, m, k, batch, aColumns }: Problem): Stored {
  const [rows, columns] = layout === "tn" ? [k, m] : [m, k];
  const { column: start, stride } = aColumns;
  return { tensor, rows, columns, start, stride, batch, batchStride: batch === 1 ? 0 : m * k };
}

function storedB({ layout, b: tensor, n, k, batch }: Problem, first: number, count: number): Stored {
  const shape =
    layout === "nt"
      ? { rows: count, columns: k, start: first * k, stride: k }
      : { rows: k, columns: count, start: first, stride: n };
  return { tensor, ...shape, batch, batchStride: batch === 1 ? 0 : n * k };
}

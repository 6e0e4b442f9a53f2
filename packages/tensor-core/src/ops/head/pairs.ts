// (row, target) pairs grouped by row: a row's targets lie together, in the order they were given.
import { at } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";

/** Which log-probs are wanted: pair i asks for id `targets[i]` after row `rows[i]`. A row, and a pair, may occur many times. */
export interface TargetPairs {
  readonly rows: ArrayLike<number>;
  readonly targets: ArrayLike<number>;
}

/** The pairs on the device. */
export interface GroupedPairs {
  /** u32 [rows + 1]: row r has the entries from `starts[r]` to `starts[r + 1]`. */
  readonly starts: Tensor;
  /** u32 [max(pairs, 1), 2]: target, index of the pair as given. */
  readonly entries: Tensor;
}

/** Throws `argument` for pairs that name no row, no id of the vocabulary, or a banned id. */
export function checkPairs(pairs: TargetPairs, rows: number, vocabulary: number, banned: ReadonlySet<number>): void {
  if (pairs.rows.length !== pairs.targets.length) {
    const counts = `${pairs.rows.length} rows and ${pairs.targets.length} targets`;
    throw new TensorError("argument", `logProbs: ${counts} do not make pairs`);
  }
  for (let i = 0; i < pairs.rows.length; i++) {
    const row = at(pairs.rows, i);
    const target = at(pairs.targets, i);
    const refuse = (why: string): never => {
      throw new TensorError("argument", `logProbs: pair ${i} (row ${row}, target ${target}): ${why}`);
    };
    if (!(Number.isInteger(row) && row >= 0 && row < rows)) refuse(`there are ${rows} rows`);
    if (!(Number.isInteger(target) && target >= 0 && target < vocabulary))
      refuse(`the vocabulary has ${vocabulary} ids`);
    if (banned.has(target)) refuse("the target is banned, so it has no log-prob");
  }
}

/** Uploads checked pairs, grouped by row. */
export function groupPairs(device: Device, pairs: TargetPairs, rows: number): GroupedPairs {
  const ofRow = Array.from({ length: rows }, (): number[] => []);
  for (let i = 0; i < pairs.rows.length; i++) at(ofRow, at(pairs.rows, i)).push(i);
  const starts = new Uint32Array(rows + 1);
  const entries = new Uint32Array(Math.max(pairs.rows.length, 1) * 2);
  let next = 0;
  for (const [row, members] of ofRow.entries()) {
    starts[row] = next;
    for (const i of members) entries.set([at(pairs.targets, i), i], 2 * next++);
  }
  starts[rows] = next;
  return { starts: device.tensor(starts, [rows + 1]), entries: device.tensor(entries, [entries.length / 2, 2]) };
}

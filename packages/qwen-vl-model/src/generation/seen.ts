// What each response of a batch has seen, for the repetition penalty: its prompt and all behind it, as transformers counts.
import { concat, type Device, type Tensor } from "@iapo/tensor-core";

/** Not an id of any vocabulary: it fills the columns of responses that have seen less. */
const NO_ID = 0xffffffff;

/** The ids of each set as a column, u32 `[length, sets]`; sets may be empty. */
export function seenColumns(device: Device, sets: readonly ReadonlySet<number>[]): Tensor {
  const length = Math.max(1, ...sets.map(({ size }) => size));
  const ids = new Uint32Array(length * sets.length).fill(NO_ID);
  for (const [column, set] of sets.entries()) {
    for (const [row, id] of [...set].entries()) ids[row * sets.length + column] = id;
  }
  return device.tensor(ids, [length, sets.length]);
}

/** Behind them what the responses sampled since, u32 `[steps, sets]`. */
export function withSampled(columns: Tensor, sampled: Tensor): Tensor {
  return concat([columns, sampled], 0);
}

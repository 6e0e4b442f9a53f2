// One pass over new rows of a session: prompts, or observations behind turns. Some thousand rows at a time, so that whoever waits can leave.
import { concat, gatherRows, keepPacked, noGrad, RowIndex, rowSegment, scope, type Tensor } from "@iapo/tensor-core";
import type { QwenVLModel } from "../model/model.ts";
import { RowBuilder, type Sequence } from "../model/pack.ts";
import type { KeyValueCache } from "./cache.ts";

/** Rows that are computed between two waits: enough work for any GPU, a second or less on a processor. */
const ROWS_AT_ONCE = 4096;

export interface PassOptions {
  /** Heard between two waits; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Rows that go behind one another into the cache, and see those that `keys` names. */
export interface NewRows {
  readonly sequences: readonly Sequence[];
  /** Of all sequences together. */
  readonly count: number;
  /** Where in the cache they begin. */
  readonly start: number;
  /** Own keys include the rows' own. */
  readonly keys: {
    readonly prefixStart: number;
    readonly prefixCount: number;
    readonly ownStart: number;
    readonly ownCount: number;
  };
}

/**
 * The hidden states `[parts, hidden]` of each part's last row; keys and values go to the cache. Every kernel sees a row alone, so the bits are
 * the same however parts are taken together. The device is idle at the end: a driver that compiles a kernel behind running work, as lavapipe
 * does, would hold up the process until that work is done.
 * @throws QwenVLError `positions`; TensorError `out_of_memory`; the reason of the signal
 */
export async function forwardRows(
  model: QwenVLModel,
  cache: KeyValueCache,
  parts: readonly NewRows[],
  { signal }: PassOptions,
): Promise<Tensor> {
  const made: Tensor[] = [];
  try {
    for (const some of together(parts)) {
      signal?.throwIfAborted();
      made.push(forward(model, cache, some));
      await model.device.idle();
    }
    signal?.throwIfAborted();
    return noGrad(() => concat(made, 0));
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

/** In order; a part is never divided. */
function together(parts: readonly NewRows[]): NewRows[][] {
  const all: NewRows[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const part of parts) {
    rows += part.count;
    if (rows > ROWS_AT_ONCE) {
      all.push([]);
      rows = part.count;
    }
    all.at(-1)?.push(part);
  }
  return all;
}

function forward(model: QwenVLModel, cache: KeyValueCache, parts: readonly NewRows[]): Tensor {
  const builder = new RowBuilder(model.config);
  const target: number[] = [];
  const last: number[] = [];
  const segments = parts.map(({ sequences, count, start, keys }) => {
    const first = builder.count;
    for (const sequence of sequences) builder.add(sequence, sequence.tokens.length);
    for (let row = 0; row < count; row++) target.push(start + row);
    last.push(first + count - 1);
    return rowSegment(first, count, keys);
  });
  const batch = {
    ...builder.finish(),
    segments,
    targetRows: new Int32Array(),
    targetIds: new Int32Array(),
    responseStarts: Int32Array.of(0),
  };
  const run = (): Tensor =>
    scope(() => {
      const uploaded = model.upload(batch);
      cache.target = cache.index(model.device, Int32Array.from(target));
      return rowsOf(model.hidden(model.embed(uploaded), uploaded, { cache }), last);
    });
  return noGrad(() => keepPacked(model.device, run));
}

/** Rows of a matrix, by their numbers. */
export function rowsOf(states: Tensor, rows: readonly number[]): Tensor {
  return scope(() => gatherRows(states, RowIndex.of(states.device, Int32Array.from(rows), states.shape[0] ?? 0)));
}

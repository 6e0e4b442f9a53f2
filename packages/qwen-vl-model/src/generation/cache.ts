// Rotated keys and values of all layers, so that a prompt is computed once and each new token only once.
import {
  type CacheRows,
  type Device,
  RowIndex,
  scope,
  type Tensor,
  TensorError,
  withTag,
  writeRows,
} from "@iapo/tensor-core";
import type { TextConfig } from "../config/types.ts";

interface LayerCache {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Rows of a cache that move: from, to, and how many. */
export interface RowRun {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export class KeyValueCache {
  readonly rows: number;
  readonly #layers: readonly LayerCache[];
  /** The rows that the next forward pass writes, one per row of the pass; its maker's to dispose. */
  target: RowIndex | undefined;

  /** Room for `rows` rows of every layer, `[rows, kvHeads * headDim]` each. Throws `out_of_memory`, keeping nothing. */
  constructor(device: Device, config: TextConfig, rows: number) {
    this.rows = rows;
    const shape = [rows, config.numKeyValueHeads * config.headDim];
    const layer = (): LayerCache => ({ keys: device.empty(shape), values: device.empty(shape) });
    this.#layers = withTag("cache", () => scope(() => Array.from({ length: config.numHiddenLayers }, layer)));
  }

  /** Uploads row numbers of this cache, for `target`. */
  index(device: Device, rows: Int32Array): RowIndex {
    return withTag("layout", () => RowIndex.of(device, rows, this.rows));
  }

  /** The whole cache of a layer, and the rows of it that the pass under way writes. Throws `argument` where nobody has said which. */
  layer(layer: number): CacheRows {
    const cached = this.#layers[layer];
    if (!cached || !this.target) throw new TensorError("argument", `cache: no layer ${layer}, or no rows to write`);
    return { ...cached, index: this.target };
  }

  /** Stores a layer's keys and values, and returns the whole cache of that layer. */
  write(layer: number, keys: Tensor, values: Tensor): [keys: Tensor, values: Tensor] {
    const cached = this.layer(layer);
    writeRows(cached.keys, keys, cached.index);
    writeRows(cached.values, values, cached.index);
    return [cached.keys, cached.values];
  }

  /** Copies runs of rows into another cache of the same layers. */
  copyTo(other: KeyValueCache, runs: readonly RowRun[]): void {
    const targets = other.#layers.values();
    for (const { keys, values } of this.#layers) {
      const target = targets.next().value;
      if (!target) return;
      copyRows(keys, target.keys, runs);
      copyRows(values, target.values, runs);
    }
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) {
      keys.dispose();
      values.dispose();
    }
  }
}

function copyRows(source: Tensor, target: Tensor, runs: readonly RowRun[]): void {
  const rowBytes = source.bytes / (source.shape[0] || 1);
  for (const { from, to, count } of runs) {
    if (count > 0) source.device.copyBytes(source, from * rowBytes, target, to * rowBytes, count * rowBytes);
  }
}

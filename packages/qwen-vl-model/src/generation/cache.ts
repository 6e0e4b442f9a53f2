// Rotated keys and values of all layers, so that a prompt is computed once and each new token only once.
import { type Device, RowIndex, type Tensor, withTag, writeRows } from "@iapo/tensor-core";
import type { TextConfig } from "../config/model-config.ts";

export class KeyValueCache {
  readonly rows: number;
  readonly #keys: readonly Tensor[];
  readonly #values: readonly Tensor[];
  /** The rows that the next forward pass writes, one per row of the pass; its maker's to dispose. */
  target: RowIndex | undefined;

  /** Room for `rows` rows of every layer, `[rows, kvHeads * headDim]` each. */
  constructor(device: Device, config: TextConfig, rows: number) {
    this.rows = rows;
    const width = config.numKeyValueHeads * config.headDim;
    const make = () => Array.from({ length: config.numHiddenLayers }, () => device.empty([rows, width]));
    [this.#keys, this.#values] = withTag("cache", () => [make(), make()]);
  }

  /** Uploads row numbers of this cache, for `target`. */
  index(device: Device, rows: Int32Array): RowIndex {
    return withTag("layout", () => RowIndex.of(device, rows, this.rows));
  }

  /** Stores a layer's keys and values, and returns the whole cache of that layer. */
  write(layer: number, keys: Tensor, values: Tensor): [keys: Tensor, values: Tensor] {
    const target = this.target!;
    const cached: [Tensor, Tensor] = [this.#keys[layer]!, this.#values[layer]!];
    writeRows(cached[0], keys, target);
    writeRows(cached[1], values, target);
    return cached;
  }

  /** Copies runs of rows into another cache. */
  copyTo(
    other: KeyValueCache,
    runs: readonly { readonly from: number; readonly to: number; readonly count: number }[],
  ): void {
    const pairs = [
      ...this.#keys.map((k, i) => [k, other.#keys[i]!] as const),
      ...this.#values.map((v, i) => [v, other.#values[i]!] as const),
    ];
    for (const [source, target] of pairs) {
      const rowBytes = source.shape[1]! * 4;
      for (const { from, to, count } of runs)
        source.device.copyBytes(source, from * rowBytes, target, to * rowBytes, count * rowBytes);
    }
  }

  dispose(): void {
    for (const tensor of [...this.#keys, ...this.#values]) tensor.dispose();
  }
}

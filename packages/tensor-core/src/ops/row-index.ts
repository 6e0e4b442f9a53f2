// A list of row numbers on a device, with its inverse (which positions name a row), so that gathers and their gradients need no atomics.
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";
import type { Tensor } from "../tensor.ts";

/** The words of a list of n row numbers of which m are distinct: list [n], distinct rows ascending [m], offsets [m + 1], positions by row [n]. */
function indexWords(indices: ArrayLike<number>, rows: number): Uint32Array<ArrayBuffer> {
  const n = indices.length;
  const positions = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n; i++) {
    const row = at(indices, i);
    if (!Number.isInteger(row) || row < 0 || row >= rows)
      throw new TensorError("argument", `row ${row} at position ${i} is not one of ${rows} rows (0 to ${rows - 1})`);
  }
  positions.sort((a, b) => at(indices, a) - at(indices, b) || a - b);
  const distinct: number[] = [];
  const offsets: number[] = [];
  positions.forEach((position, k) => {
    const row = at(indices, position);
    if (row === distinct.at(-1)) return;
    distinct.push(row);
    offsets.push(k);
  });
  return Uint32Array.from([...Array.from(indices), ...distinct, ...offsets, n, ...positions]);
}

/** Row numbers of a matrix, uploaded once and used by any number of ops. A scope owns it like a tensor. */
export class RowIndex {
  /** How many row numbers there are. */
  readonly length: number;
  /** How many of them are distinct. */
  readonly distinct: number;
  /** Rows of the matrix they point into. */
  readonly rows: number;
  /** For the kernels: see `indexWords`. */
  readonly words: Tensor;

  private constructor(length: number, rows: number, words: Tensor) {
    this.length = length;
    this.distinct = (words.size - 2 * length - 1) / 2;
    this.rows = rows;
    this.words = words;
  }

  /** The numbers `indices` of rows of a matrix with `rows` rows. Throws `argument` for a number that is not one of them. */
  static of(device: Device, indices: ArrayLike<number>, rows: number): RowIndex {
    const words = indexWords(indices, rows);
    return new RowIndex(indices.length, rows, device.tensor(words, [words.length], "u32"));
  }

  /** What `words` of an index holds: for uploads of several together. Throws as `of`. */
  static wordsOf(indices: ArrayLike<number>, rows: number): Uint32Array<ArrayBuffer> {
    return indexWords(indices, rows);
  }

  /** An index whose words, `wordsOf` some `length` numbers, are on the device already, and may be rewritten there by those of as many, as distinct ones. */
  static over(words: Tensor, length: number, rows: number): RowIndex {
    return new RowIndex(length, rows, words);
  }

  /** What a scope keeps when it returns an index. */
  keepAlive(): Tensor[] {
    return [this.words];
  }

  dispose(): void {
    this.words.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The sizes of an index, as parameters of ops that take its words. */
export interface IndexSizes {
  readonly length: number;
  readonly distinct: number;
  readonly rows: number;
}

export function sizesOf(index: RowIndex): IndexSizes {
  return { length: index.length, distinct: index.distinct, rows: index.rows };
}

/** Throws `argument` where a row occurs twice: which one would win is not defined. */
export function expectDistinct(op: string, { length, distinct }: IndexSizes): void {
  if (distinct !== length)
    throw new TensorError("argument", `${op}: ${length - distinct} of ${length} row numbers occur more than once`);
}

/** Case input and parameters of an index, for ops that take one. */
export function indexCase(
  indices: readonly number[],
  rows: number,
): {
  input: { shape: number[]; dtype: "u32"; values: number[] };
  sizes: IndexSizes;
} {
  const words = [...indexWords(indices, rows)];
  const sizes = { length: indices.length, distinct: new Set(indices).size, rows };
  return { input: { shape: [words.length], dtype: "u32", values: words }, sizes };
}

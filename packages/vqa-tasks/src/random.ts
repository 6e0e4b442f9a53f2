// Counter-based random numbers: every draw is a pure function of (seed, purpose, index, counter), so any chart can be made
// again alone, in any order and on any machine. Mixing: the 32-bit finalizer of MurmurHash3 over the chained words.
export class RandomStream {
  readonly #base: number;
  #counter = 0;

  /** `purpose` parts streams that share a seed and an index, such as the splits of a data set. */
  constructor(seed: number, purpose: string, index: number) {
    this.#base = mix(mix(mix(seed >>> 0, hashText(purpose)), Math.floor(index / 2 ** 32)), index >>> 0);
  }

  /** Uniform in [0, 1), 24 bits. */
  uniform(): number {
    this.#counter += 1;
    return (mix(this.#base, this.#counter) >>> 8) / 2 ** 24;
  }

  /** Whole number, uniform in [first, last]. */
  integer(first: number, last: number): number {
    return first + Math.floor(this.uniform() * (last - first + 1));
  }

  /** @throws RangeError for an empty list */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** `count` different items in random order (all of them where there are fewer): a partial Fisher-Yates shuffle. */
  sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const taken = Math.min(count, rest.length);
    for (let place = 0; place < taken; place += 1) {
      const other = this.integer(place, rest.length - 1);
      [rest[place], rest[other]] = [rest[other] as T, rest[place] as T];
    }
    return rest.slice(0, taken);
  }
}

/** Uniform in [0, 1), 24 bits: a function of the text. */
export function uniformOfText(text: string): number {
  return (hashText(text) >>> 8) / 2 ** 24;
}

/** FNV-1a over UTF-16 code units, finalized: 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return finalize(hash);
}

function mix(state: number, word: number): number {
  return finalize((Math.imul(state, 0x9e3779b1) + Math.imul(word, 0x85ebca77) + 0x165667b1) | 0);
}

function finalize(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// Results of a pure function of a text, for texts that come again and again: the episodes of a step say nearly the same.

/** Texts that are longer are not kept, and so many at most. */
const LONGEST = 4096;
const MOST = 512;

/** `make(text)`, or what it gave before; callers must not change it. */
export class Recent<T> {
  readonly #make: (text: string) => T;
  /** In the order of their last use. */
  readonly #results = new Map<string, T>();

  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  get(text: string): T {
    if (text.length > LONGEST) return this.#make(text);
    const result = this.#results.has(text) ? (this.#results.get(text) as T) : this.#make(text);
    this.#results.delete(text);
    this.#results.set(text, result);
    const [oldest] = this.#results.keys();
    if (this.#results.size > MOST && oldest !== undefined) this.#results.delete(oldest);
    return result;
  }
}

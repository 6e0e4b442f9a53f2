// The text of a response up to the first of its stop texts, as OpenAI's API gives it, while it is being written.

export class StopText {
  readonly #stops: readonly string[];
  readonly #longest: number;
  #held = "";
  #ended = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
    this.#longest = Math.max(0, ...stops.map(({ length }) => length));
  }

  /** What can be shown now: no end of it may turn out to begin a stop text. */
  push(text: string): string {
    if (this.#ended) return "";
    this.#held += text;
    const places = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((place) => place >= 0);
    if (places.length > 0) {
      this.#ended = true;
      return this.#held.slice(0, Math.min(...places));
    }
    const safe = this.#longest === 0 ? this.#held.length : Math.max(0, this.#held.length - this.#longest + 1);
    const shown = this.#held.slice(0, safe);
    this.#held = this.#held.slice(safe);
    return shown;
  }

  end(): string {
    const rest = this.#ended ? "" : this.#held;
    this.#ended = true;
    return rest;
  }
}

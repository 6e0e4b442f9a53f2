// As much of a terminal as the screen uses: rows that wrap, the cursor after the last line break, and reflow when its width changes.
import type { Terminal } from "../../src/io.ts";

export class VirtualTerminal implements Terminal {
  columns: number;
  rows = 50;
  readonly #listeners = new Set<() => void>();
  /** Lines as written; the cursor stands behind the last one. */
  #lines: string[] = [""];

  constructor(columns: number) {
    this.columns = columns;
  }

  onResize(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  resize(columns: number): void {
    this.columns = columns;
    for (const listener of this.#listeners) listener();
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are a terminal's
    for (const [part, up] of text.matchAll(/\x1b\[(\d+)A|\x1b\[J|\r|\n|[^\x1b\r\n]+/g)) {
      if (up !== undefined) this.#up(Number(up));
      else if (part === "\n") this.#lines.push("");
      else if (part !== "\r" && part !== "\x1b[J") this.#lines.push(`${this.#lines.pop()}${part}`);
    }
  }

  /** Up, then cleared from there on, as the screen always does next. */
  #up(rows: number): void {
    if (this.#lines.at(-1) !== "") throw new Error("the cursor is not at a line's begin");
    this.#lines.pop();
    for (let left = rows; left > 0; ) {
      const line = this.#lines.pop();
      if (line === undefined) throw new Error("up beyond the first line");
      left -= Math.max(1, Math.ceil(Array.from(line).length / this.columns));
      if (left < 0) throw new Error("up into the middle of a line");
    }
    this.#lines.push("");
  }

  get lines(): readonly string[] {
    return this.#lines.slice(0, -1);
  }
}

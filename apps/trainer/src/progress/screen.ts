// Some lines at the end of a terminal that are written over in place, also after its size has changed; other text goes above them.
import type { Terminal } from "../io.ts";
import { printable } from "../printable.ts";

export class Screen {
  readonly #terminal: Terminal;
  readonly #lines: () => readonly string[];
  readonly #stopListening: () => void;
  /** As they were last written. */
  #written: readonly string[] = [];

  /** @param lines what stands there now; they are cut to the terminal's width and height */
  constructor(terminal: Terminal, lines: () => readonly string[]) {
    this.#terminal = terminal;
    this.#lines = lines;
    this.#stopListening = terminal.onResize(() => this.draw());
  }

  draw(): void {
    this.#write("");
  }

  /** A text that stays, above the lines. */
  print(text: string): void {
    this.#write(printable(text.endsWith("\n") ? text : `${text}\n`));
  }

  /** Leaves the lines as they are. */
  close(): void {
    this.#stopListening();
  }

  #write(above: string): void {
    const { columns, rows } = this.#terminal;
    const next = this.#lines()
      .slice(0, Math.max(1, rows - 1))
      .map((line) =>
        Array.from(printable(line))
          .slice(0, columns - 1)
          .join(""),
      ); // all of its characters are one column wide
    const up = this.#rowsOf(columns);
    this.#terminal.write(`${up > 0 ? `\x1b[${up}A` : ""}\r\x1b[J${above}${next.map((line) => `${line}\n`).join("")}`);
    this.#written = next;
  }

  /** Rows that the last lines take now: a terminal that became narrower has wrapped them. */
  #rowsOf(columns: number): number {
    return this.#written.reduce((sum, line) => sum + Math.max(1, Math.ceil(Array.from(line).length / columns)), 0);
  }
}

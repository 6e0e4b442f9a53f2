// Times and memory of steps, from `timings.jsonl`, of which only what is new is read.
import { open } from "node:fs/promises";
import { type Measured, measuredOf } from "@iapo/run-report";

export class TimingsTail {
  readonly #path: string;
  readonly #steps = new Map<number, Measured>();
  #offset = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  get(step: number): Measured | undefined {
    return this.#steps.get(step);
  }

  /** Steps that it says something new of. A file that is shorter than it was is another one. */
  async read(): Promise<readonly number[]> {
    const handle = await open(this.#path).catch(() => undefined);
    if (!handle) return [];
    const found: number[] = [];
    try {
      const { size } = await handle.stat();
      if (size < this.#offset) [this.#offset, this.#rest] = [0, ""];
      while (this.#offset < size) {
        const { buffer, bytesRead } = await handle.read(
          Buffer.alloc(Math.min(size - this.#offset, 2 ** 20)),
          0,
          null,
          this.#offset,
        );
        if (bytesRead === 0) break;
        this.#offset += bytesRead;
        const lines = (this.#rest + buffer.toString("utf8", 0, bytesRead)).split("\n");
        this.#rest = (lines.pop() ?? "").slice(0, 2 ** 20);
        for (const line of lines) {
          const measured = measuredOf(line);
          if (!measured) continue;
          this.#steps.set(measured.step, measured);
          found.push(measured.step);
        }
      }
    } finally {
      await handle.close();
    }
    return found;
  }
}

// Workers of the benchmark: programs that take orders as lines of JSON and answer so; on the way they may ask for something.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export type Message = Readonly<Record<string, unknown>>;

export class LineWorker {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.name = name;
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
    if (!this.#child.stdout) throw new Error(`${name} has no output`);
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** The answer to an order; `help` answers what the worker asks before. */
  async ask(order: Message, help: (asked: Message) => Promise<unknown>): Promise<Message> {
    this.#send(order);
    for (;;) {
      const { done, value } = await this.#lines.next();
      if (done) throw new Error(`${this.name} ended`);
      if (!value.startsWith("{")) continue; // libraries print, too
      const said = JSON.parse(value) as Message;
      if ("answer" in said) return said.answer as Message;
      this.#send(await help(said));
    }
  }

  end(): void {
    this.#child.stdin?.end();
  }

  #send(message: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }
}

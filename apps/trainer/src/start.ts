// What the binary does on a Node that is new enough. An interrupt lets the command end in order; a second one ends the process at once.
import { createInterface } from "node:readline/promises";
import type { WriteStream } from "node:tty";
import { runCli } from "./cli.ts";
import { ExitCode } from "./exit-code.ts";
import type { Terminal } from "./io.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // The listener of the time before all was loaded goes when its heir is there: a signal that has come while modules were read would be lost between the two.
  const before = process.listeners(signal);
  process.once(signal, () => stop.abort());
  for (const listener of before) process.off(signal, listener);
}
// Nobody reads on, as in `iapo ... | head`, or what is said finds no room: end in order too.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    stop.abort();
    if (error.code === "EPIPE" || error.code === "EIO" || process.exitCode === ExitCode.failed) return;
    process.exitCode = ExitCode.failed;
    process.stderr.write(`iapo: what it says cannot be written: ${error.message}\n`);
  });
}

function terminalOf(stream: WriteStream): Terminal | undefined {
  if (!stream.isTTY || process.env.TERM === "dumb") return undefined;
  return {
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    write: (text) => void stream.write(text),
    onResize(listener) {
      stream.on("resize", listener);
      return () => stream.off("resize", listener);
    },
  };
}

/** One question at a time, on the terminal. */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question, { signal: stop.signal });
  } finally {
    terminal.close();
  }
}

const showsColors = process.stdout.isTTY && process.stdout.hasColors() && !process.env.NO_COLOR;
const code = await runCli(process.argv.slice(2), {
  ...(showsColors && { color: (text: string) => void process.stdout.write(`${text}\n`) }),
  out: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  ...(process.stdin.isTTY && process.stderr.isTTY && { ask }),
  signal: stop.signal,
  terminal: terminalOf(process.stderr),
});
process.exitCode ??= code;
// Who interrupts does not wait for what a GPU still has to do.
if (stop.signal.aborted) {
  const said = [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve)));
  await Promise.all(said);
  process.exit();
}

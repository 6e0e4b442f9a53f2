// The command line in a process of its own: what happens there does not end the queue.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL(`../main${import.meta.filename.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));

export interface ChildOptions {
  /** Aborted: the child is asked, once, to end in order. */
  readonly signal: AbortSignal;
  /** Each line of its standard output. */
  onLine?(line: string): void;
}

export interface ChildEnd {
  /** Null where a signal has ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of its standard error. */
  readonly said: string;
}

const KEPT = 4000;

/** A group of its own: an interrupt at the terminal reaches the queue alone, which passes it on once. A second one would end the child at once. */
export function runIapo(args: readonly string[], { signal, onLine }: ChildOptions): Promise<ChildEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, main, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const interrupt = (): void => void child.kill("SIGINT");
    signal.addEventListener("abort", interrupt, { once: true });
    if (signal.aborted) interrupt();
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said = (said + text).slice(-KEPT);
    });
    createInterface({ input: child.stdout }).on("line", (line) => onLine?.(line));
    child.on("error", reject);
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", interrupt);
      resolve({ code, signal: by, said: said.trim() });
    });
  });
}

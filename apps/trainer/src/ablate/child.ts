// The command line in a process of its own: what happens there does not end the queue.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RunCommand } from "@iapo/iapo/study";
import { TensorError } from "@iapo/tensor-core";
import { ExitCode } from "../exit-code.ts";

const main = fileURLToPath(new URL(`../main${import.meta.filename.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));

const KEPT = 4000;

/** @throws TensorError `no_adapter`, as no other run would have one */
export const runIapo: RunCommand = async (args, signal, onLine) => {
  const { code, by, said } = await spawnIapo(args, signal, onLine);
  if (code === ExitCode.done) return { state: "done" };
  const message = messageOf(said);
  if (code === ExitCode.noAdapter) throw new TensorError("no_adapter", message.replace(/^iapo: | \(no_adapter\)/g, ""));
  if (code === ExitCode.busy) return { state: "busy", reason: message };
  return { state: "failed", reason: `iapo ${args.join(" ")} ended by ${by ?? `exit code ${code}`}: ${message}` };
};

interface Ended {
  /** Null where a signal has ended it. */
  readonly code: number | null;
  readonly by: NodeJS.Signals | null;
  /** The end of its standard error. */
  readonly said: string;
}

/** A group of its own: an interrupt at the terminal reaches the queue alone, which passes it on once. A second one would end the child at once. */
function spawnIapo(args: readonly string[], signal: AbortSignal, onLine: (line: string) => void): Promise<Ended> {
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
    createInterface({ input: child.stdout }).on("line", onLine);
    child.on("error", reject);
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", interrupt);
      resolve({ code, by, said: said.trim() });
    });
  });
}

/** Its last word, or the end of all that was said: libraries write to standard error too. */
function messageOf(said: string): string {
  return /^iapo: (?![\s\S]*^iapo: )[\s\S]*/m.exec(said)?.[0] ?? said.split("\n").slice(-6).join("\n");
}

// Workers as processes of this machine: started, served, and started again where something has killed them.
import { fork } from "node:child_process";
import { createInterface } from "node:readline";
import type { Hub } from "../hub.ts";
import { serveChild } from "./serve.ts";

export interface StartOptions {
  /** For workers that are given no server: they are served here. */
  readonly hub?: Hub | undefined;
  readonly count: number;
  /** The program, and its arguments. */
  readonly module: string;
  readonly args: readonly string[];
  readonly onNews?: ((text: string) => void) | undefined;
}

export interface StartedWorkers {
  /** Of those that run now. */
  pids(): number[];
  /** Ends them all, by force where one does not end in time, and waits until they have ended. */
  close(): Promise<void>;
}

/** Milliseconds before a killed one is started again, and those that one has for its end. */
const [AGAIN_AFTER, ENDS_WITHIN] = [500, 5000];

/** A worker that a signal has ended is started again; one that has ended itself has said why, and is not. */
export function startWorkers({ hub, count, module, args, onNews = () => {} }: StartOptions): StartedWorkers {
  const running = new Map<number, Promise<void>>();
  const stop = new AbortController();
  const start = (): void => {
    if (stop.signal.aborted) return;
    const child = fork(module, [...args], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      detached: true,
    });
    const { pid } = child;
    if (hub) serveChild(hub, child, onNews);
    if (child.stderr) createInterface({ input: child.stderr }).on("line", (line) => onNews(`process ${pid}: ${line}`));
    const end = (): void => {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), ENDS_WITHIN); // what it holds is of no worth any more
      child.once("close", () => clearTimeout(late));
    };
    stop.signal.addEventListener("abort", end, { once: true });
    const ended = new Promise<void>((resolve) => {
      child.once("error", (error) => onNews(`a worker could not be started: ${error.message}`));
      child.once("close", (code, signal) => {
        stop.signal.removeEventListener("abort", end);
        if (pid !== undefined) running.delete(pid);
        resolve();
        if (stop.signal.aborted) return;
        onNews(`process ${pid} ended by ${signal ?? `exit code ${code}`}`);
        if (signal) setTimeout(start, AGAIN_AFTER);
      });
    });
    if (pid !== undefined) running.set(pid, ended);
  };
  for (let i = 0; i < count; i++) start();
  return {
    pids: () => [...running.keys()],
    async close() {
      stop.abort();
      await Promise.all(running.values());
    },
  };
}

// The parent's end of a worker process: one request at a time, failures as errors, no shader cache from earlier runs.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Timing } from "./measure.ts";
import type { KernelTime, Probe } from "./types.ts";
import type { Opened, Ready, Request } from "./worker.ts";

type Message = { answer?: unknown } | { failure: string };

export class Worker {
  readonly name: string;
  readonly opened: Opened;
  readonly #child: ChildProcess;
  readonly #cache: string;

  private constructor(name: string, child: ChildProcess, cache: string, opened: Opened) {
    this.name = name;
    this.opened = opened;
    this.#child = child;
    this.#cache = cache;
  }

  static async start(name: string, benchmarkFile: string): Promise<Worker> {
    const cache = mkdtempSync(join(tmpdir(), "iapo-bench-shaders-"));
    const { LP_NATIVE_VECTOR_WIDTH: _, ...env } = process.env; // Mesa's cache does not know of it
    const child = fork(join(import.meta.dirname, "worker.ts"), [name, benchmarkFile], {
      execArgv: ["--conditions=@iapo/source", "--no-warnings"],
      env: { ...env, MESA_SHADER_CACHE_DIR: cache },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    try {
      return new Worker(name, child, cache, (await nextMessage(name, child)) as Opened);
    } catch (error) {
      child.kill();
      rmSync(cache, { recursive: true, force: true });
      throw error;
    }
  }

  async prepare(name: string, expected: Probe[]): Promise<Ready> {
    return (await this.#ask({ do: "prepare", case: name, expected })) as Ready;
  }

  async time(name: string): Promise<Timing> {
    return (await this.#ask({ do: "time", case: name })) as Timing;
  }

  async profile(name: string): Promise<readonly KernelTime[] | undefined> {
    return (await this.#ask({ do: "profile", case: name })) as readonly KernelTime[] | undefined;
  }

  async dispose(name: string): Promise<void> {
    await this.#ask({ do: "dispose", case: name });
  }

  stop(): void {
    this.#child.kill();
    rmSync(this.#cache, { recursive: true, force: true });
  }

  async #ask(request: Request): Promise<unknown> {
    if (!this.#child.connected) throw new Error(`${this.name} has ended`);
    const reply = nextMessage(this.name, this.#child);
    this.#child.send(request);
    return reply;
  }
}

function nextMessage(name: string, child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const errors: Buffer[] = [];
    const onError = (chunk: Buffer): void => {
      errors.push(chunk);
    };
    const settle = (finish: () => void): void => {
      child.off("message", onMessage).off("exit", onExit);
      child.stderr?.off("data", onError);
      child.stderr?.resume();
      finish();
    };
    const onMessage = (message: Message): void =>
      settle(() => ("failure" in message ? reject(new Error(`${name}: ${message.failure}`)) : resolve(message.answer)));
    const onExit = (code: number | null, signal: string | null): void =>
      settle(() =>
        reject(new Error(`${name} ended (${signal ?? `exit code ${code}`})\n${Buffer.concat(errors).toString()}`)),
      );
    child.stderr?.on("data", onError);
    child.on("message", onMessage).on("exit", onExit);
  });
}

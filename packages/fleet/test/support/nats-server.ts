// A real nats-server on a port of its own, with a store of its own, that can be killed and started again.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const script = join(import.meta.dirname, "../../../../scripts/setup-nats.sh");

/** Where it is undefined a full check fails; a quick one does without. */
export const natsServer: string | undefined = await promisify(execFile)(script, {
  env: { ...process.env, ...(process.env.IAPO_FULL !== "1" && { GPU_SETUP: "skip" }) },
}).then(
  ({ stdout }) => stdout.trim(),
  (error: Error) => {
    if (process.env.IAPO_FULL === "1") throw error;
    return undefined;
  },
);

export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  /** By SIGKILL. */
  kill(): Promise<void>;
  /** On the same port and store. */
  start(): Promise<void>;
}

/** @param args beside port and store */
export async function startServer(args: readonly string[] = []): Promise<RunningServer> {
  if (natsServer === undefined) throw new Error("there is no nats-server");
  const program = natsServer;
  const port = await freePort();
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  let child: ChildProcess | undefined;
  const server: RunningServer = {
    url: `nats://127.0.0.1:${port}`,
    async start() {
      child = spawn(program, ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", store, ...args], { stdio: "ignore" });
      while (!(await answers(port))) await sleep(20);
    },
    async kill() {
      const running = child;
      child = undefined;
      if (!running || running.exitCode !== null) return;
      const ended = new Promise((resolve) => running.once("exit", resolve));
      running.kill("SIGKILL");
      await ended;
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      rmSync(store, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port is free");
  return address.port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

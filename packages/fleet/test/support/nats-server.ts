// A real nats-server on a port of its own, with a store of its own, that can be killed and started again.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type NatsServer, startNatsServer } from "@iapo/fleet";

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
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  const { url, port, ...first } = await startNatsServer({ program, port: 0, store, args });
  let running: Omit<NatsServer, "url" | "port"> | undefined = first;
  const server: RunningServer = {
    url,
    async start() {
      running = await startNatsServer({ program, port, store, args });
    },
    async kill() {
      const { pid, ended } = running ?? {};
      running = undefined;
      if (pid === undefined) return;
      process.kill(pid, "SIGKILL");
      await ended;
    },
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]();
      rmSync(store, { recursive: true, force: true });
    },
  };
  return server;
}

// A nats-server of one's own, for a fleet on this machine: found on PATH, on loopback, ended with whoever has started it.
import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FleetError } from "../error.ts";

/** Where packages put servers, which is not on everybody's PATH. */
const SYSTEM = ["/usr/sbin", "/usr/local/sbin"];
const STARTS_WITHIN = 30_000;

export interface NatsServerOptions {
  /** 0 is one that is free. */
  readonly port: number;
  /** Where it keeps units and blobs. */
  readonly store: string;
  /** Default: `nats-server` on PATH, or where Debian puts it. */
  readonly program?: string | undefined;
  /** Beside those of port and store. */
  readonly args?: readonly string[] | undefined;
}

export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number | undefined;
  /** When it ends, and how. */
  readonly ended: Promise<string>;
}

/** @throws FleetError `missing` where there is no program or it does not start, `argument` where the port is taken */
export async function startNatsServer({ port, store, args = [], ...given }: NatsServerOptions): Promise<NatsServer> {
  const program = given.program ?? findProgram("nats-server");
  if (program === undefined)
    throw new FleetError(
      "missing",
      "there is no nats-server on PATH: install one (apt-get install nats-server; brew install nats-server; or a release of github.com/nats-io/nats-server), or name a server that runs: iapo train --fleet nats://host:4222",
    );
  mkdirSync(store, { recursive: true });
  const own = ["-a", "127.0.0.1", "-p", `${port === 0 ? -1 : port}`, "-js", "-sd", store];
  const child = spawn(program, [...own, ...args], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let said = "";
  const listens = new Promise<number>((resolve) => {
    child.stderr.on("data", (text: Buffer) => {
      said = (said + text).slice(-4000);
      const [, found] = /Listening for client connections on \S+:(\d+)[\s\S]*Server is ready/.exec(said) ?? [];
      if (found !== undefined) resolve(Number(found));
    });
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) =>
      resolve(`${signal ?? `exit code ${code}`}: ${said.trim().split("\n").at(-1)}`),
    );
  });
  const late = new AbortController();
  const listening = await Promise.race([listens, ended, sleep(STARTS_WITHIN, undefined, { signal: late.signal })]);
  late.abort();
  if (typeof listening !== "number") {
    child.kill("SIGKILL");
    if (listening?.includes("address already in use"))
      throw new FleetError("argument", `port ${port} is taken; choose another`);
    throw new FleetError("missing", `${program} does not start: ${listening ?? "it does not answer"}`);
  }
  return {
    url: `nats://127.0.0.1:${listening}`,
    port: listening,
    pid: child.pid,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

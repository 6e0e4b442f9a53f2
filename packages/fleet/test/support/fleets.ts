// A fleet by each transport: the learner's door, and doors of workers, which can be slammed as a killed process slams them.
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Hub, natsTransport, serveChild, type Transport } from "@iapo/fleet";
import { natsServer, startServer } from "./nats-server.ts";

export interface Fleet extends AsyncDisposable {
  readonly learner: Transport;
  /** Another member's door. */
  join(): Promise<Transport>;
}

export interface FleetKind {
  readonly name: string;
  readonly isThere: boolean;
  open(patience: number): Promise<Fleet>;
}

async function inProcess(patience: number): Promise<Fleet> {
  const hub = new Hub({ patience });
  return { learner: hub.connect(), join: async () => hub.connect(), [Symbol.asyncDispose]: async () => {} };
}

/** The door of each member is used by a child process, which does what this one asks it for. */
async function childProcesses(patience: number): Promise<Fleet> {
  const { remoteTransport } = await import("./remote-transport.ts");
  const hub = new Hub({ patience });
  const children: { kill(): void }[] = [];
  return {
    learner: hub.connect(),
    async join() {
      const child = fork(join(import.meta.dirname, "member.ts"), {
        serialization: "advanced",
        execArgv: ["--conditions=@iapo/source"],
      });
      children.push({ kill: () => child.kill("SIGKILL") });
      serveChild(hub, child);
      return remoteTransport(child);
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill();
    },
  };
}

async function nats(patience: number): Promise<Fleet> {
  const server = await startServer();
  const run = `t${randomBytes(4).toString("hex")}`;
  const open = (own?: number) =>
    natsTransport({ server: server.url, run, ...(own !== undefined && { patience: own }) });
  const doors = [await open(patience)];
  const [learner] = doors;
  if (!learner) throw new Error("there is no door");
  return {
    learner,
    async join() {
      const door = await open();
      doors.push(door);
      return door;
    },
    async [Symbol.asyncDispose]() {
      for (const door of doors) await door.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const fleets: readonly FleetKind[] = [
  { name: "in process", isThere: true, open: inProcess },
  { name: "child processes", isThere: true, open: childProcesses },
  { name: "NATS", isThere: natsServer !== undefined, open: nats },
];

// A connection to a NATS server. The client's packages are loaded here, when they are asked for, and nowhere else.
import { readFile } from "node:fs/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { FleetError } from "../error.ts";

export interface NatsModules {
  readonly core: typeof import("@nats-io/transport-node");
  readonly jetstream: typeof import("@nats-io/jetstream");
  readonly kv: typeof import("@nats-io/kv");
  readonly obj: typeof import("@nats-io/obj");
}

/** @throws FleetError `missing` that says what to install */
async function loadNats(): Promise<NatsModules> {
  try {
    const [core, jetstream, kv, obj] = await Promise.all([
      import("@nats-io/transport-node"),
      import("@nats-io/jetstream"),
      import("@nats-io/kv"),
      import("@nats-io/obj"),
    ]);
    return { core, jetstream, kv, obj };
  } catch (cause) {
    throw new FleetError(
      "missing",
      "a fleet over NATS needs the packages of its client; npm install @nats-io/transport-node @nats-io/jetstream @nats-io/kv @nats-io/obj",
      { cause },
    );
  }
}

export interface Connected {
  readonly modules: NatsModules;
  readonly connection: NatsConnection;
}

/** Milliseconds between attempts to reach a server that has gone. */
const AGAIN_AFTER = 500;
/** A network that was cut says nothing: whoever does not answer for so long is connected anew. */
const [PING_EVERY, PINGS_UNANSWERED] = [10_000, 2];

/**
 * `nats://host:4222`, `tls://host:4222`, with `user:password@` where the server asks; the environment variable NATS_CREDS names a file of
 * credentials. It comes back by itself when the server does.
 * @throws FleetError `missing`, `argument`, `lost`
 */
export async function connectServer(server: string, name: string): Promise<Connected> {
  const url = urlOf(server);
  const modules = await loadNats();
  const { core } = modules;
  const file = process.env.NATS_CREDS;
  const creds = file === undefined ? undefined : await credentials(file);
  try {
    const connection = await core.connect({
      servers: url.host,
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: AGAIN_AFTER,
      pingInterval: PING_EVERY,
      maxPingOut: PINGS_UNANSWERED,
      ...(url.username !== "" && { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }),
      ...(creds && { authenticator: core.credsAuthenticator(creds) }),
      ...(url.protocol === "tls:" && { tls: {} }),
    });
    return { modules, connection };
  } catch (cause) {
    throw new FleetError("lost", `${url.host} cannot be reached as a NATS server: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function urlOf(server: string): URL {
  const url = URL.parse(server);
  if (url && (url.protocol === "nats:" || url.protocol === "tls:") && url.hostname !== "") return url;
  throw new FleetError("argument", `${server} is no address of a NATS server; give one such as nats://127.0.0.1:4222`);
}

function credentials(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause: Error) => {
    throw new FleetError("missing", `NATS_CREDS: ${file} cannot be read: ${cause.message}`, { cause });
  });
}

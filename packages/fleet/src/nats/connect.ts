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
  /** The server's, without credentials: it is told to people and written to logs. */
  readonly address: string;
}

/** Milliseconds between attempts to reach a server that has gone. */
const AGAIN_AFTER = 500;
/** A network that was cut says nothing: whoever does not answer for so long is connected anew. */
const [PING_EVERY, PINGS_UNANSWERED] = [10_000, 2];

/**
 * `nats://host:4222`, `tls://host:4222`, with `user:password@` where the server asks; the environment variable NATS_CREDS names a file of
 * credentials. Authorities of certificates are Node's, and those of NODE_EXTRA_CA_CERTS. It comes back by itself when the server does.
 * @throws FleetError `missing`, `argument`, `lost`
 */
export async function connectServer(server: string, name: string): Promise<Connected> {
  const url = urlOf(server);
  const modules = await loadNats();
  const { core } = modules;
  const file = process.env.NATS_CREDS;
  const creds = file === undefined ? undefined : await credentials(file);
  const address = `${url.protocol}//${url.host}`;
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
    return { modules, connection, address };
  } catch (cause) {
    throw new FleetError("lost", `${address} ${reason(cause as Error)}`, { cause });
  }
}

/** Why there is no connection, and what to do where that is known. */
function reason({ name, message }: Error): string {
  if (name === "AuthorizationError" || name === "UserAuthenticationExpiredError")
    return `refuses these credentials (${message}): give user:password@ in the address, or name a file of credentials by NATS_CREDS`;
  if (/self[- ]signed|unable to (?:get|verify)/.test(message))
    return `has a certificate of an authority that is not trusted here (${message}): name the authority's file by NODE_EXTRA_CA_CERTS`;
  if (message === "unable to parse credentials")
    return "was not asked: the file that NATS_CREDS names holds no credentials";
  return `cannot be reached as a NATS server: ${message}`;
}

function urlOf(server: string): URL {
  const url = URL.parse(server);
  if (url && (url.protocol === "nats:" || url.protocol === "tls:") && url.hostname !== "") return url;
  const shown = server.replace(/^.*@/, "...@"); // without a password
  throw new FleetError("argument", `${shown} is no address of a NATS server; give one such as nats://127.0.0.1:4222`);
}

function credentials(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause: Error) => {
    throw new FleetError("missing", `NATS_CREDS: ${file} cannot be read: ${cause.message}`, { cause });
  });
}

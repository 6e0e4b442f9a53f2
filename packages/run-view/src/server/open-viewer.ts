// The server: finds the runs, listens on this machine, and ends when it is told to.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { serve } from "@hono/node-server";
import { RunViewError } from "../error.ts";
import { Library } from "../runs/library.ts";
import { createApp } from "./app.ts";
import type { Helpers } from "./app-parts.ts";
import { loadAssets } from "./assets.ts";

export interface ViewerOptions extends Helpers {
  /** Runs, evaluations, or folders of them. */
  readonly directories: readonly string[];
  /** Default 127.0.0.1. Any other is reached with a token only. */
  readonly host?: string | undefined;
  /** Default: one that is free. */
  readonly port?: number | undefined;
  /** In place of a random one; at least 16 characters. */
  readonly token?: string | undefined;
}

export interface Viewer {
  /** To be opened in a browser; has the token where one is asked for. */
  readonly url: string;
  readonly runs: number;
  close(): Promise<void>;
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

/** @throws RunViewError `missing` for directories that are none or hold no run, `argument`, `listen` */
export async function openViewer(options: ViewerOptions): Promise<Viewer> {
  const { directories, host = "127.0.0.1", port = 0 } = options;
  const isOpen = !loopback.has(host);
  const token = options.token ?? (isOpen ? randomBytes(24).toString("base64url") : undefined);
  if (token !== undefined && !/^[\w-]{16,}$/.test(token))
    throw new RunViewError("argument", "a token has at least 16 letters, digits, - and _");
  const assets = await loadAssets();
  const library = await Library.open(directories);
  const app = createApp({ library, assets, guard: { host, token }, directories, helpers: options });
  const server = serve({ fetch: app.fetch, hostname: host, port }) as Server;
  try {
    await once(server, "listening");
  } catch (cause) {
    await library.close();
    throw new RunViewError(
      "listen",
      `${host}:${port} cannot be listened on: ${(cause as Error).message}; choose another port`,
      { cause },
    );
  }
  const { port: bound } = server.address() as AddressInfo;
  const name = host === "0.0.0.0" || host === "::" ? hostname() : host;
  const shown = name.includes(":") ? `[${name}]` : name;
  void library.refresh();
  return {
    url: `http://${shown}:${bound}/${token === undefined ? "" : `?token=${token}`}`,
    runs: library.runs.length,
    async close() {
      server.close();
      server.closeAllConnections();
      await library.close();
    },
  };
}

// iapo serve: a model behind an OpenAI-compatible address, until it is told to end.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { openAdapter } from "../adapter.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { createApp } from "./app.ts";
import { Recorder } from "./record.ts";
import { ServedModel } from "./served-model.ts";

export interface ServeOptions {
  readonly directory: string;
  readonly adapters: readonly string[];
  readonly host: string;
  readonly port: number | undefined;
  /** A directory for traces of all answers. */
  readonly record: string | undefined;
  /** In place of a random one, where one is asked for. */
  readonly token: string | undefined;
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

/** @throws TrainerError `argument`; what loading the model throws; the reason of the signal while it loads */
export async function serveModel(options: ServeOptions, io: CliIo): Promise<number> {
  const { host, port = 0, record } = options;
  const token = options.token ?? (loopback.has(host) ? undefined : randomBytes(24).toString("base64url"));
  if (token !== undefined && !/^[\w-]{16,}$/.test(token))
    throw new TrainerError("argument", "a token has at least 16 letters, digits, - and _");
  using device = await openAdapter();
  const served = await ServedModel.load(device, options.directory, options.adapters, io.signal);
  try {
    const recorder = record === undefined ? undefined : await Recorder.open(record, served.qwen.processor);
    const app = createApp({ served, token, recorder, onEnd: (words) => io.note(words) });
    const server = serve({ fetch: app.fetch, hostname: host, port }) as Server;
    await once(server, "listening").catch((cause: Error) => {
      const problem = `${host}:${port} cannot be listened on: ${cause.message}; choose another port`;
      throw new TrainerError("argument", problem, { cause });
    });
    const { port: bound } = server.address() as AddressInfo;
    io.out(`http://${host.includes(":") ? `[${host}]` : host}:${bound}/v1`);
    if (token !== undefined && options.token === undefined) io.out(`API key: ${token}`);
    io.note(`models: ${served.names.join(", ")}; Ctrl+C ends it`);
    if (!io.signal.aborted) await once(io.signal, "abort");
    server.close();
    server.closeAllConnections();
    await served.idle();
    return ExitCode.done;
  } finally {
    served.dispose();
  }
}

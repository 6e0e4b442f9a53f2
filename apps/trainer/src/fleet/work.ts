// iapo worker: takes units of a run until it is told to stop.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { natsTransport, parentTransport, type Transport, work } from "@iapo/fleet";
import { openMember, type Role } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export interface WorkerFlags {
  /** A server's address, or `parent`. */
  readonly server: string;
  /** The run's name on the server. */
  readonly run?: string;
  readonly set: readonly string[];
  readonly roles?: readonly Role[];
  readonly trust?: true;
  readonly name?: string;
}

export async function runWorker(
  { server, run, set, roles, trust, name }: WorkerFlags,
  { note, signal: stop }: CliIo,
): Promise<number> {
  using device = await openAdapter();
  const gone = new AbortController();
  process.once("disconnect", () => gone.abort()); // the process that has started this one has ended, however it did
  const signal = AbortSignal.any([stop, gone.signal]);
  const transport = await transportOf(server, run, note);
  const id =
    name ??
    `${hostname()
      .replaceAll(/[^\w-]/g, "-")
      .slice(0, 40)}-${randomBytes(3).toString("hex")}`;
  note(`iapo worker ${id} on ${device.facts.description}`);
  try {
    await work({
      ...{ transport, id, signal },
      open: (announced) => openMember(announced, { device, roles, set, trust: trust ?? false, signal }),
      onNews: note,
    });
  } finally {
    await transport.close();
    if (process.connected) process.disconnect(); // the channel to who has started this one would keep it alive
  }
  return ExitCode.done;
}

/** @throws TrainerError `argument` for a server without a run, or a run without one */
async function transportOf(
  server: string,
  run: string | undefined,
  onNews: (text: string) => void,
): Promise<Transport> {
  const isParent = server === "parent";
  if (isParent !== (run === undefined))
    throw new TrainerError(
      "argument",
      isParent ? "--run is of a server, not of parent" : "--run is needed: the run's name on the server",
    );
  return run === undefined ? parentTransport() : natsTransport({ server, run, onNews });
}

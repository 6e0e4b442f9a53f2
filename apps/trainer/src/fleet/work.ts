// iapo worker: takes units of a run until it is told to stop.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { parentTransport, work } from "@iapo/fleet";
import { openMember, type Role } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

export interface WorkerFlags {
  readonly set: readonly string[];
  readonly roles?: readonly Role[];
  readonly trust?: true;
  readonly name?: string;
}

export async function runWorker({ set, roles, trust, name }: WorkerFlags, { note, signal }: CliIo): Promise<number> {
  using device = await openAdapter();
  const transport = parentTransport();
  const id =
    name ??
    `${hostname()
      .replaceAll(/[^\w-]/g, "-")
      .slice(0, 40)}-${randomBytes(3).toString("hex")}`;
  note(`iapo worker ${id} on ${device.facts.description}`);
  try {
    await work({
      ...{ transport, id, signal },
      open: (run) => openMember(run, { device, roles, set, trust: trust ?? false, signal }),
      onNews: note,
    });
  } finally {
    await transport.close();
  }
  return ExitCode.done;
}

// iapo fleet up, status and down.
import { join } from "node:path";
import { fleetStatus, natsTransport, removeFleet, startNatsServer, startWorkers } from "@iapo/fleet";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { iapoProgram } from "./program.ts";

export interface UpFlags {
  readonly run: string;
  readonly workers: number;
  readonly port: number;
  readonly store?: string;
  readonly trust?: true;
}

/** Until the interrupt, or until the server ends by itself. */
export async function fleetUp(
  { run, workers: count, port, store, trust }: UpFlags,
  { out, note, signal }: CliIo,
): Promise<number> {
  await using server = await startNatsServer({ port, store: store ?? join("runs", ".fleet") });
  const args = ["worker", "--server", server.url, "--run", run, ...(trust ? ["--trust"] : [])];
  const workers = startWorkers({ count, module: iapoProgram, args, onNews: note });
  out(
    `a fleet of ${count} workers at ${server.url}; in another terminal: iapo train CONFIG --fleet ${server.url} --run ${run}`,
  );
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined), { once: true }),
  );
  const ended = signal.aborted ? undefined : await Promise.race([server.ended, stopped]);
  await workers.close();
  if (ended === undefined) return ExitCode.done;
  note(`iapo: the server has ended by ${ended}`);
  return ExitCode.failed;
}

export interface AtServer {
  readonly server: string;
  readonly run: string;
}

export async function showStatus(
  { json, ...at }: AtServer & { readonly json?: true },
  { out, signal }: CliIo,
): Promise<number> {
  const transport = await natsTransport({ ...at, mustExist: true });
  try {
    const status = await fleetStatus(transport, signal);
    if (json) {
      out(JSON.stringify(status));
      return ExitCode.done;
    }
    const alive = status.workers.filter(({ isAlive }) => isAlive);
    out(
      `${at.run} at ${new URL(at.server).host}: ${status.announced ? "announced" : "no learner yet"}, ${alive.length} workers`,
    );
    for (const { id, host, pid, isAlive, unit, done, doneMeanwhile, roles, error } of status.workers) {
      const work = !isAlive ? "silent" : unit === null ? "waits" : `at ${unit}`;
      const rate = `${done} units done, ${((60 * doneMeanwhile) / status.seconds).toFixed(0)} a minute`;
      out(
        [
          `${id} (${host}, process ${pid})`,
          work,
          rate,
          roles.join(", "),
          ...(error === null ? [] : [`last error: ${error}`]),
        ].join("; "),
      );
    }
    for (const fault of status.faults) out(`! ${fault}`);
    return ExitCode.done;
  } finally {
    await transport.close();
  }
}

export async function fleetDown(at: AtServer, { out }: CliIo): Promise<number> {
  await removeFleet(at);
  out(`${at.run} is gone from ${new URL(at.server).host}, and its workers end`);
  return ExitCode.done;
}

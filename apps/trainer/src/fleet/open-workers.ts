// What `--fleet` of a training names: how many workers to start on this machine.
import { fileURLToPath } from "node:url";
import { Hub, startWorkers } from "@iapo/fleet";
import type { FleetOptions } from "@iapo/jobs";

export interface FleetFlags {
  /** So many workers of this machine. */
  readonly fleet?: number | undefined;
  readonly minWorkers?: number | undefined;
  /** Seconds. */
  readonly patience?: number | undefined;
  readonly verify?: number | undefined;
  readonly mixed?: true | undefined;
  readonly trust?: true | undefined;
}

export interface OpenedWorkers extends AsyncDisposable {
  readonly options: FleetOptions;
}

const main = fileURLToPath(new URL(`../main${import.meta.filename.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));

/** @param note hears what workers say, line by line */
export function openWorkers(
  { fleet: count = 0, minWorkers, patience: seconds, verify, mixed, trust }: FleetFlags,
  note: (text: string) => void,
): OpenedWorkers {
  const patience = seconds === undefined ? undefined : 1000 * seconds;
  const hub = new Hub({ patience });
  const args = ["worker", "--server", "parent", ...(trust ? ["--trust"] : [])];
  const workers = startWorkers({ hub, count, module: main, args, onNews: note });
  const transport = hub.connect();
  return {
    options: { transport, minWorkers, patience, verify, mixed, onNews: note },
    async [Symbol.asyncDispose]() {
      await workers.close();
      await transport.close();
    },
  };
}

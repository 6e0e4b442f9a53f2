// What `--fleet` of a training names: a number of workers to start on this machine, or a server that workers have.
import { Hub, natsTransport, startWorkers } from "@iapo/fleet";
import type { FleetOptions } from "@iapo/jobs";
import { TrainerError } from "../error.ts";
import { iapoProgram } from "./program.ts";

export interface FleetFlags {
  /** So many workers of this machine, or a server's address. */
  readonly fleet?: number | string | undefined;
  /** The run's name on the server. */
  readonly run?: string | undefined;
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

/** @throws TrainerError `argument` for an option of `--fleet` without it, or without use */
export function checkFleetFlags({ fleet, ...flags }: FleetFlags): void {
  const given = (["run", "minWorkers", "patience", "verify", "mixed"] as const).find(
    (name) => flags[name] !== undefined,
  );
  const option = given === "minWorkers" ? "min-workers" : given;
  if (fleet === undefined && option !== undefined)
    throw new TrainerError("argument", `--${option} is of --fleet, which is not given`);
  if (typeof fleet === "number" && flags.run !== undefined)
    throw new TrainerError(
      "argument",
      "--run is the name on a server, and --fleet names none: leave --run out, or give the server's address",
    );
}

/**
 * @param name of the job
 * @param note hears of workers, and what those of this machine say
 */
export async function openWorkers(
  { fleet = 0, run, minWorkers, patience: seconds, verify, mixed, trust }: FleetFlags,
  name: string,
  note: (text: string) => void,
): Promise<OpenedWorkers> {
  const patience = seconds === undefined ? undefined : 1000 * seconds;
  const common = { minWorkers, patience, verify, mixed, onNews: note };
  if (typeof fleet === "string") {
    const transport = await natsTransport({
      ...{ server: fleet, run: run ?? name.replaceAll(/[^\w-]/g, "-"), onNews: note },
      patience: patience ?? 30_000,
    });
    return { options: { ...common, transport }, [Symbol.asyncDispose]: () => transport.close() };
  }
  const hub = new Hub({ patience });
  const args = ["worker", "--server", "parent", ...(trust ? ["--trust"] : [])];
  const workers = startWorkers({ hub, count: fleet, module: iapoProgram, args, onNews: note });
  const transport = hub.connect();
  return {
    options: { ...common, transport },
    async [Symbol.asyncDispose]() {
      await workers.close();
      await transport.close();
    },
  };
}

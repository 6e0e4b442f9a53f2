// Work that needs a server: where the server is away it is tried again, as servers are restarted.
import { setTimeout as sleep } from "node:timers/promises";
import { FleetError } from "../error.ts";

/** Milliseconds between attempts, and for which a server may be away. */
const [AGAIN_AFTER, LONGEST_OUTAGE] = [500, 10 * 60_000];

/** Names of the client's errors that a server which comes back mends, and the code of one that has just come back. */
const passing: ReadonlySet<string> = new Set([
  "TimeoutError",
  "NoRespondersError",
  "RequestError",
  "ConnectionError",
  "DrainingConnectionError",
]);
const starting = 10008; // JetStream system temporarily unavailable

export interface PatientOptions {
  /** Such as `nats://host: cannot keep a blob`. */
  readonly what: string;
  /** Whether this side has closed the connection. */
  readonly isOver: () => boolean;
}

/** @param work may be done more than once. @throws FleetError `lost` where the server stays away, refuses, or has no room */
export async function patiently<T>(work: () => Promise<T>, { what, isOver }: PatientOptions): Promise<T> {
  const until = performance.now() + LONGEST_OUTAGE;
  while (true) {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof FleetError) throw cause;
      if (isOver() || !isPassing(cause) || performance.now() > until)
        throw new FleetError("lost", `${what}: ${(cause as Error).message}`, { cause });
      await sleep(AGAIN_AFTER);
    }
  }
}

function isPassing(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  if (passing.has(cause.name) || (cause.cause !== undefined && isPassing(cause.cause))) return true;
  return (cause as { code?: unknown }).code === starting;
}

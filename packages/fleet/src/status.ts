// What a fleet looks like from outside: who is at work, what they have done and how fast.
import { setTimeout as sleep } from "node:timers/promises";
import { announcementSchema, decodeMessage, type Presence, presenceSchema } from "./messages.ts";
import type { Transport } from "./transport.ts";

export interface SeenWorker extends Omit<Presence, "facts"> {
  readonly id: string;
  /** Whether it gave a sign while it was looked at. */
  readonly isAlive: boolean;
  /** Units that it finished in the meantime. */
  readonly doneMeanwhile: number;
}

export interface FleetStatus {
  /** Whether a learner has ever announced the run; it may have ended since. */
  readonly announced: boolean;
  readonly seconds: number;
  readonly workers: readonly SeenWorker[];
  /** Signs and announcements that were none. */
  readonly faults: readonly string[];
}

/** Longer than workers are silent. */
const WATCHED = 5000;

/** Looks at a run's fleet for some seconds; changes nothing. @throws FleetError `lost`; the signal's reason */
export async function fleetStatus(transport: Transport, signal: AbortSignal): Promise<FleetStatus> {
  const workers = new Map<string, { first: Presence; last: Presence; signs: number }>();
  const faults: string[] = [];
  let announced = false;
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      faults.push((error as Error).message);
    }
  };
  const ends = [
    await transport.watch("run", (_key, value) =>
      attempt(() => {
        announced = value !== undefined && decodeMessage(announcementSchema, value, "the announcement") !== undefined;
      }),
    ),
    await transport.watch("worker.", (key, value) =>
      attempt(() => {
        const id = key.slice("worker.".length);
        if (!value) {
          workers.delete(id);
          return;
        }
        const last = decodeMessage(presenceSchema, value, `the sign of worker ${id}`);
        const known = workers.get(id);
        workers.set(id, { first: known?.first ?? last, last, signs: (known?.signs ?? 0) + 1 });
      }),
    ),
  ];
  try {
    await sleep(WATCHED, undefined, { signal });
  } finally {
    for (const end of ends) end();
  }
  const seen = Array.from(
    workers,
    ([
      id,
      {
        first,
        last: { facts: _, ...last },
        signs,
      },
    ]) => ({
      ...{ id, ...last },
      isAlive: signs > 1,
      doneMeanwhile: last.done - first.done,
    }),
  );
  return { announced, seconds: WATCHED / 1000, workers: seen, faults };
}

// What the workers of a run did, from `fleet.jsonl`, and what they are at, from `fleet-now.json`; read without trust.
import { join } from "node:path";
import { z } from "zod";
import { formatNumber } from "../numbers.ts";
import type { Table } from "../page/data.ts";
import { readSmall } from "./run-files.ts";

const count = z.number().min(0);

const stepSchema = z.object({
  step: count,
  units: count,
  copies: count,
  redelivered: count.default(0),
  returned: count,
  messages: count,
  bytesSent: count,
  bytesReceived: count,
  /** Of the step, and of them those in which any unit was out. */
  milliseconds: count.optional(),
  waited: count.optional(),
  workers: z.record(
    z.string(),
    z.object({ host: z.string(), units: count, milliseconds: count, roles: z.record(z.string(), count).optional() }),
  ),
});

const nowSchema = z.object({
  at: z.string(),
  workers: z.array(
    z.object({
      ...{ id: z.string(), host: z.string(), roles: z.array(z.string()), done: count },
      ...{ at: z.string().nullable(), error: z.string().nullable() },
    }),
  ),
});

export type FleetStep = Readonly<z.infer<typeof stepSchema>>;
export type FleetNow = Readonly<z.infer<typeof nowSchema>>;

export interface FleetFile {
  /** In the order in which they were made; one that was made again is there twice. */
  readonly steps: readonly FleetStep[];
  /** Of a run at work that has workers. */
  readonly now: FleetNow | undefined;
}

/** Lines that are none are passed over. @throws RunReportError `invalid` for a file that cannot be read */
export async function readFleet(run: string): Promise<FleetFile> {
  const lines = ((await readSmall(join(run, "fleet.jsonl"))) ?? "").split("\n");
  const now = await readSmall(join(run, "fleet-now.json"));
  return {
    steps: lines.flatMap((line) => parsed(stepSchema, line) ?? []),
    now: now === undefined ? undefined : parsed(nowSchema, now),
  };
}

/** A kill may have cut what is there. */
function parsed<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Who did how much over these steps; no rows where there were no workers. */
export function workTable(steps: readonly FleetStep[]): Table {
  const sums = new Map<string, { host: string; units: number; milliseconds: number; roles: Map<string, number> }>();
  for (const { workers } of steps)
    for (const [id, { host, units, milliseconds, roles = {} }] of Object.entries(workers)) {
      const sum = sums.get(id) ?? { host, units: 0, milliseconds: 0, roles: new Map() };
      sum.units += units;
      sum.milliseconds += milliseconds;
      for (const [role, done] of Object.entries(roles)) sum.roles.set(role, (sum.roles.get(role) ?? 0) + done);
      sums.set(id, sum);
    }
  const all = [...sums.values()].reduce((sum, { units }) => sum + units, 0);
  const rows = [...sums]
    .sort(([, a], [, b]) => b.units - a.units)
    .map(([id, { host, units, milliseconds, roles }]) => [
      ...[id, host, String(units), `${((100 * units) / (all || 1)).toFixed(1)} %`],
      formatNumber(milliseconds / 1000),
      Array.from(roles, ([role, done]) => `${role} ${done}`).join(", "),
    ]);
  return { columns: ["Worker", "Host", "Units", "Share", "Seconds", "By role"], rows };
}

// A run's part of the page: facts, alarms, timings, configuration.
import { formatNumber } from "../numbers.ts";
import type { RunData, Table } from "../page/data.ts";
import { readFleet, workTable } from "../runs/fleet-file.ts";
import type { LoadedRun } from "../runs/loaded-run.ts";
import { readConfigText, readTimings } from "../runs/run-files.ts";
import { raisedAlarms } from "./alarms.ts";

export async function runData({ directory, name, file, steps }: LoadedRun): Promise<RunData> {
  const timings = [...(await readTimings(directory)).values()];
  const { parts, total } = timeByPart(timings);
  const config = (await readConfigText(directory)) ?? `${JSON.stringify(file.settings, null, 2)}\n`;
  return {
    name,
    facts: [
      ["Steps", String(steps.length)],
      ["Adapter", file.adapter],
      ["Kernels", file.kernelFamily],
      ...(total > 0 ? [["Time of training", duration(total)] as const] : []),
      ...memoryFacts(steps),
      ...(total > 0 ? [["Time per step", `${formatNumber(total / timings.length)} s`] as const] : []),
    ],
    timings: parts,
    workers: workTable((await readFleet(directory)).steps),
    alarms: raisedAlarms(steps),
    config: config.length <= longestConfig ? config : `${config.slice(0, longestConfig)}\n…`,
  };
}

const longestConfig = 100_000;

/** Nothing of a run that did not measure its memory. */
function memoryFacts(steps: LoadedRun["steps"]): RunData["facts"] {
  const most = (metric: string): number =>
    steps.reduce((largest, { metrics }) => Math.max(largest, metrics[metric] ?? 0), 0);
  const [inUse, reserved] = [most("memory/peak_gib"), most("memory/peak_reserved_gib")];
  return reserved > 0
    ? [["GPU memory", `${formatNumber(inUse)} GiB in use, ${formatNumber(reserved)} GiB reserved at most`]]
    : [];
}

function timeByPart(steps: readonly Readonly<Record<string, number>>[]): { parts: Table; total: number } {
  const sums = new Map<string, number>();
  for (const parts of steps)
    for (const [part, seconds] of Object.entries(parts)) sums.set(part, (sums.get(part) ?? 0) + seconds);
  const total = [...sums.values()].reduce((sum, seconds) => sum + seconds, 0);
  const rows = [...sums]
    .sort(([, a], [, b]) => b - a)
    .map(([part, seconds]) => [
      part,
      seconds.toFixed(1),
      formatNumber(seconds / steps.length),
      `${((100 * seconds) / (total || 1)).toFixed(1)} %`,
    ]);
  return { parts: { columns: ["Part", "Seconds", "Seconds per step", "Share"], rows }, total };
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return whole < 60 ? `${seconds.toFixed(1)} s` : `${hours > 0 ? `${hours} h ` : ""}${minutes} min ${whole % 60} s`;
}

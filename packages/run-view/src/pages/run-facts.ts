// What pages say of a run, from its index.
import { finalValue, type RunData, raisedAlarms } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";

/** The last held-out value, or the mean of the last few of training, as the report's table has it. */
export function lastValue({ name, index }: ViewedRun, metric: string): number | undefined {
  return finalValue({ name, steps: index.columns.steps([metric]) }, metric);
}

export function alarmsOf({ index }: ViewedRun): RunData["alarms"] {
  const names = [...index.columns.names].filter((name) => name.startsWith("alarm/"));
  return names.length > 0 ? raisedAlarms(index.columns.steps(names)) : [];
}

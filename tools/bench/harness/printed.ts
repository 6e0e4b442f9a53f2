// A benchmark that needs no adapter: a script that prints `{ rows }` as JSON, each with case, unit, ours and correct; or `{ skipped }`, why it has none.
import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, loadavg } from "node:os";
import type { Result, Row } from "./result.ts";

export type PrintedRow = Pick<Row, "case" | "unit" | "ours" | "correct"> & Partial<Row>;

export interface Skipped {
  readonly skipped: string;
}

interface Printed {
  readonly rows: readonly PrintedRow[];
  /** Of what was measured, beside Node's. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** Runs the file in a process of its own. Undefined when it prints nothing, as a file does that only exports a benchmark. */
export function runPrinted(name: string, file: string, commit: string): Result | Skipped | undefined {
  const before = loadavg()[0] as number;
  const { status, stdout } = spawnSync("node", ["--conditions=@iapo/source", "--no-warnings", file], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${file} failed with exit code ${status}`);
  if (stdout.trim() === "") return undefined;
  const printed = JSON.parse(stdout) as Printed | Skipped;
  if ("skipped" in printed) return printed;
  return printedResult(name, commit, before, printed.rows, printed.versions);
}

/** @param before the load when it began */
export function printedResult(
  name: string,
  commit: string,
  before: number,
  rows: readonly PrintedRow[],
  versions: Printed["versions"] = {},
): Result {
  return {
    name,
    date: new Date().toISOString(),
    commit,
    adapter: `none; CPU ${cpus()[0]?.model.trim() ?? "unknown"}`,
    versions: { node: process.versions.node, ...versions },
    load: { before, after: loadavg()[0] as number, cores: availableParallelism() },
    rows: rows.map((row) => ({ ...row, ratioToBestPeer: null, fractionOfPeak: null, peers: row.peers ?? {} })),
  };
}

export function printedTable({ rows, adapter, load }: Result): string {
  const width = Math.max(...rows.map((row) => row.case.length));
  const lines = rows.map(
    (row) => `${row.case.padEnd(width)}  ${String(row.ours).padStart(10)} ${row.unit}${row.correct ? "" : "  WRONG"}`,
  );
  return [...lines, `${adapter}; load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`].join("\n");
}

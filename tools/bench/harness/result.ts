// What is kept of a run, bench/results/<name>.json, and what is shown, the table.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Figures, type Measured, rate } from "./figures.ts";
import type { Load, Run } from "./run.ts";
import type { KernelTime } from "./types.ts";

export interface Row extends Figures {
  readonly case: string;
  readonly unit: string;
  /** Only in a row that falls short of its goal. */
  readonly profile?: readonly KernelTime[];
}

export interface Result {
  readonly name: string;
  readonly date: string;
  readonly commit: string;
  readonly adapter: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly load: Load;
  readonly rows: readonly Row[];
}

export function resultOf(name: string, commit: string, { adapter, versions, load, cases }: Run): Result {
  return {
    name,
    date: new Date().toISOString(),
    commit,
    adapter: adapter.description,
    versions: Object.fromEntries(Object.entries({ node: process.versions.node, ...versions }).sort()),
    load,
    rows: cases.map(({ case: of, figures, profile }) => ({
      case: of.name,
      unit: of.unit,
      ...figures,
      ...(profile === undefined ? {} : { profile }),
    })),
  };
}

/** Writes the result with four significant digits; returns the file. */
export function save(folder: string, result: Result): string {
  const round = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  const file = join(folder, `${result.name}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, round, 2)}\n`);
  return file;
}

export function table({ cases, clock, adapter, load }: Run): string {
  const number = (value: number | null | undefined, digits = 1): string =>
    value == null ? "-" : value.toFixed(digits);
  const peers = cases[0]?.libraries.slice(1).map((peer) => peer.name) ?? [];
  const header = ["case", "unit", "ours", "by clock", "first run", "error", "x best peer", "of peak", ...peers];
  const lines = cases.map(({ case: of, libraries, figures }) => {
    const [ours] = libraries as [Measured];
    return [
      of.name,
      of.unit,
      number(figures.ours),
      ours.timings.length > 0 ? number(rate(of, ours.timings, "wall")) : "-",
      ours.cold === undefined ? "-" : `${number(ours.cold, 0)} ms`,
      ours.error === undefined ? "-" : `${ours.error.toExponential(1)}${figures.correct ? "" : " WRONG"}`,
      number(figures.ratioToBestPeer, 2),
      figures.fractionOfPeak === null ? "-" : `${number(figures.fractionOfPeak * 100, 0)} %`,
      ...peers.map((name) => number(figures.peers[name])),
    ];
  });
  const width = (column: number): number => Math.max(...[header, ...lines].map((line) => line[column]?.length ?? 0));
  const text = [header, ...lines].map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join("  "),
  );
  const meaning =
    clock === "cpu" ? "a software adapter: by CPU time of all cores, and no word on any real GPU" : "by the clock";
  const loads = `load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after, ${load.cores} cores`;
  return [...text, `${adapter.description}; ${meaning}; ${loads}`].join("\n");
}

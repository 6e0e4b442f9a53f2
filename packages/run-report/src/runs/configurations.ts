// Runs that differ by their seeds only are one configuration: its results are a mean and a spread.
import { isDeepStrictEqual } from "node:util";
import type { Point } from "../svg/line-chart.ts";
import type { LoadedRun } from "./loaded-run.ts";
import { pointsOf } from "./run-files.ts";

export interface Configuration {
  readonly name: string;
  readonly runs: readonly LoadedRun[];
}

/** In the order of their first runs. */
export function configurationsOf(runs: readonly LoadedRun[]): Configuration[] {
  const found: { settings: unknown; runs: LoadedRun[] }[] = [];
  for (const run of runs) {
    const settings = withoutSeeds(run.file.settings);
    const own = found.find((one) => isDeepStrictEqual(one.settings, settings));
    if (own) own.runs.push(run);
    else found.push({ settings, runs: [run] });
  }
  const names = found.map(({ runs: own }) => commonName(own.map(({ name }) => name)));
  return found.map(({ runs: own }, i) => ({
    name:
      names.indexOf(names[i] as string) === names.lastIndexOf(names[i] as string)
        ? (names[i] as string)
        : `${names[i]} (${i + 1})`,
    runs: own,
  }));
}

/** Settings of other runs may be of another form: what is called a seed is one, wherever it stands. */
function withoutSeeds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSeeds);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "seed" && name !== "output")
      .map(([name, inner]) => [name, withoutSeeds(inner)]),
  );
}

/** What the names begin with: `occlusion` of `occlusion-seed-1` and `occlusion-seed-2`. */
function commonName(names: readonly string[]): string {
  const [first = ""] = names;
  if (names.length === 1) return first;
  let length = first.length;
  while (!names.every((name) => name.startsWith(first.slice(0, length)))) length--;
  return first.slice(0, length).replace(/[^\p{L}\p{N}]*(?:seed|s)?[^\p{L}\p{N}]*$/u, "") || first;
}

export interface Spread {
  readonly mean: number;
  /** Sample deviation (n - 1); undefined for one value. */
  readonly deviation: number | undefined;
  readonly count: number;
}

/** Undefined for no values. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const count = values.length;
  if (count === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : undefined, count };
}

/** At each step that all runs have a value of: where a seed is missing, a mean would jump for that alone. */
export function curveOf({ runs }: Configuration, metric: string): (Spread & { readonly step: number })[] {
  const curves = runs.map(
    ({ steps }) => new Map(pointsOf(steps, metric).flatMap(({ x, y }) => (y === null ? [] : [[x, y] as const]))),
  );
  const [first = new Map<number, number>()] = curves;
  return [...first.keys()].flatMap((step) => {
    const values = curves.flatMap((curve) => curve.get(step) ?? []);
    const spread = values.length === runs.length ? spreadOf(values) : undefined;
    return spread ? [{ step, ...spread }] : [];
  });
}

/** Mean, with a band of one deviation to either side. */
export function bandOf(curve: readonly (Spread & { readonly step: number })[]): Point[] {
  return curve.map(({ step, mean, deviation }) => ({
    x: step,
    y: mean,
    ...(deviation !== undefined && { low: mean - deviation, high: mean + deviation }),
  }));
}

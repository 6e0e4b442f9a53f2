// Rows of docs/figures from what experiments.ts has trained and measured: each run, their means with intervals, and each step of training.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { bootstrap, type Resamples, resample } from "@iapo/evaluation/statistics";
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { listSteps, readRun } from "@iapo/rollout-trace/files";
import { readMetrics } from "@iapo/run-report";

/** What is counted of an episode, by its column. */
const counted = {
  misuse: ({ rewards }) => rewards.tool_misuse,
  right_names: ({ rewards }) => rewards.tool_names,
  right_answers: ({ rewards }) => rewards.outcome,
  highlight: share("highlight"),
  mask: share("mask"),
  draw: share("draw"),
} as const satisfies Readonly<Record<string, (trace: Trace<ImageRef>) => number | undefined>>;

type Column = keyof typeof counted;
const columns = Object.keys(counted) as Column[];
const REPLICATES = 2000;

/** Of one model: a number for each chart; undefined where it does not count. */
type Measured = ReadonlyMap<Column, readonly (number | undefined)[]>;

export interface Run {
  readonly name: string;
  readonly seed: number;
  readonly directory: string;
}

/** Of the calls of an episode, how many have this effect; undefined without a call. */
function share(effect: string) {
  return ({ toolOutcomes }: Trace<ImageRef>): number | undefined => {
    const calls = toolOutcomes[0]?.tools ?? [];
    return calls.length === 0 ? undefined : calls.filter((tool) => tool.endsWith(effect)).length / calls.length;
  };
}

async function measured(evaluation: string): Promise<Measured | undefined> {
  const traces: Trace<ImageRef>[] = [];
  for (const set of await readdir(join(evaluation, "traces")).catch(() => []))
    for await (const trace of readRun(join(evaluation, "traces", set))) traces.push(trace);
  if (traces.length === 0) return undefined;
  return new Map(columns.map((column) => [column, traces.map(counted[column])]));
}

/**
 * Both tables: of each run, with an interval over charts; and of each cell, the mean of its seeds with an interval over seeds and charts, which are
 * the same for all seeds and so are drawn together.
 */
export async function heldOutTables(
  runs: readonly Run[],
  stepsOf: (name: string) => readonly number[],
): Promise<{ each: string; means: string }> {
  const heads = columns.flatMap((column) => [column, `${column}_interval`]);
  const each = [["cell", "steps", "seed", ...heads].join(",")];
  const means = [["cell", "steps", "seeds", ...heads, "misuse_deviation"].join(",")];
  for (const name of new Set(runs.map((run) => run.name))) {
    for (const step of stepsOf(name)) {
      const models: Measured[] = [];
      for (const { seed, directory } of runs.filter((run) => run.name === name)) {
        const model = await measured(join(directory, `eval-${step}`));
        if (!model) continue;
        models.push(model);
        each.push([name, step, seed, ...columns.flatMap((column) => estimate([model], column))].join(","));
      }
      if (models.length < 2) continue;
      const estimates = columns.flatMap((column) => estimate(models, column));
      means.push([name, step, models.length, ...estimates, deviation(models).toFixed(3)].join(","));
    }
  }
  return { each: lines(each), means: lines(means) };
}

function estimate(models: readonly Measured[], column: Column): [mean: string, interval: string] {
  const values = models.map((model) => model.get(column) ?? []);
  const charts = values[0]?.length ?? 0;
  const mean = (ofSeeds: Uint16Array, ofCharts: Uint16Array): number | null => {
    const rates = values.map((ofModel) => rate(ofModel, ofCharts));
    return rate(rates, ofSeeds) ?? null;
  };
  const seeds: Resamples = draws(values.length, "seeds");
  let replicate = 0;
  const interval = bootstrap(draws(charts, "charts"), (times) =>
    mean(seeds[replicate++] ?? once(values.length), times),
  );
  return [
    mean(once(values.length), once(charts))?.toFixed(3) ?? "",
    interval?.map((bound) => bound.toFixed(3)).join("-") ?? "",
  ];
}

const drawn = new Map<string, Resamples>();

/** The same for all cells and columns. */
function draws(units: number, of: "seeds" | "charts"): Resamples {
  const key = `${of}/${units}`;
  const made = drawn.get(key) ?? resample(units, REPLICATES, 1, of);
  drawn.set(key, made);
  return made;
}

/** Each unit once. */
function once(count: number): Uint16Array {
  return new Uint16Array(count).fill(1);
}

function rate(values: readonly (number | undefined)[], times: Uint16Array): number | undefined {
  let [sum, count] = [0, 0];
  for (const [i, value] of values.entries()) {
    if (value === undefined) continue;
    sum += (times[i] ?? 0) * value;
    count += times[i] ?? 0;
  }
  return count === 0 ? undefined : sum / count;
}

/** Sample deviation of misuse over seeds. */
function deviation(models: readonly Measured[]): number {
  const rates = models.map((model) => {
    const misuse = model.get("misuse") ?? [];
    return rate(misuse, once(misuse.length)) ?? Number.NaN;
  });
  const mean = rates.reduce((sum, one) => sum + one, 0) / rates.length;
  return Math.sqrt(rates.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (rates.length - 1));
}

/** Of the training rollouts. */
export async function stepTable(runs: readonly Run[]): Promise<string> {
  const metricsOf = ["reward/tool_misuse", "reward/tool_names", "reward/outcome", "iapo/auc"];
  const rows = ["cell,seed,step,misuse,right_names,right_answers,auc"];
  for (const { name, seed, directory } of runs) {
    for (const file of await listSteps(join(directory, "steps"))) {
      const { step, metrics } = await readMetrics(file);
      rows.push([name, seed, step + 1, ...metricsOf.map((metric) => metrics[metric]?.toFixed(4) ?? "")].join(","));
    }
  }
  return lines(rows);
}

function lines(rows: readonly string[]): string {
  return `${rows.join("\n")}\n`;
}

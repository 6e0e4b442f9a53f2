// The results of an ablation as files: tables as Markdown and CSV, figures as SVG, and all of it as JSON.
import { join } from "node:path";
import { metricTitles } from "@iapo/evaluation";
import { makeDirectory, writeFileAtomic } from "@iapo/rollout-trace/files";
import {
  bandOf,
  formatDuration,
  type LineChart,
  type LoadedRun,
  panels,
  spreadOf,
  writeFigures,
} from "@iapo/run-report";
import type { AblationJob, Measuring } from "./places.ts";
import { type JobResult, readMeasured, readResult } from "./results.ts";
import type { QueueState } from "./state.ts";
import {
  type ConfigurationResult,
  commonSeconds,
  curvesCsv,
  jobsCsv,
  lastBy,
  type MeasuredModel,
  minutesTable,
  sameTimeTable,
  stepsTable,
} from "./tables.ts";

export interface AblationReport {
  readonly jobs: readonly AblationJob[];
  readonly state: QueueState;
  /** Names of models that were measured as they are. */
  readonly models: readonly string[];
  readonly measuring: Measuring;
  readonly minutes: number | undefined;
  /** As it was given. */
  readonly command: string;
}

/** @returns the directory of results */
export async function writeAblation(report: AblationReport): Promise<string> {
  const { jobs, state, measuring, minutes, models: names } = report;
  const out = join(measuring.directory, "results");
  await makeDirectory(out);
  const runs = new Map<string, LoadedRun>();
  const results = new Map<string, JobResult>();
  const experiments = jobs.filter(({ isPreparation }) => !isPreparation);
  for (const job of experiments) {
    const found = await readResult(job, measuring, minutes);
    if (!found) continue;
    runs.set(job.id, found.run);
    results.set(job.id, found.result);
  }
  const models: MeasuredModel[] = [];
  for (const name of names) {
    const measured = await readMeasured(measuring, name);
    if (measured) models.push({ name, measured });
  }
  const all = configurations(experiments, results, state);
  const files: Record<string, string> = {
    "tables.md": tables(report, models, all, wallSeconds(jobs, state)),
    "jobs.csv": jobsCsv(models, all),
    "curves.csv": curvesCsv(all),
    "results.json": `${JSON.stringify({ version: 1, command: report.command, models, configurations: all }, null, 2)}\n`,
    ...timeFigure(all),
  };
  for (const [name, content] of Object.entries(files)) await writeFileAtomic(join(out, name), content);
  await figuresByExperiment(experiments, runs, out);
  return out;
}

function configurations(
  jobs: readonly AblationJob[],
  results: ReadonlyMap<string, JobResult>,
  state: QueueState,
): ConfigurationResult[] {
  return [...Map.groupBy(jobs, ({ recipe }) => recipe)].map(([{ name, title }, own]) => {
    const absent = own.filter(({ id }) => !results.has(id));
    const reasons = absent.map(({ id }) => {
      const { state: found = "waiting", reason = "" } = state.get(id) ?? {};
      return found === "unavailable" ? `unavailable: ${reason}` : found;
    });
    const missing = [...Map.groupBy(reasons, (reason) => reason)].map(([reason, same]) =>
      reason.startsWith("unavailable") ? reason : `${same.length} ${reason}`,
    );
    return { name, title, results: own.flatMap(({ id }) => results.get(id) ?? []), missing: missing.join(", ") };
  });
}

function wallSeconds(jobs: readonly AblationJob[], state: QueueState): number {
  return jobs.reduce((sum, { id }) => sum + (state.get(id)?.seconds ?? 0), 0);
}

function tables(
  { measuring, command, minutes, jobs }: AblationReport,
  models: readonly MeasuredModel[],
  all: readonly ConfigurationResult[],
  wall: number,
): string {
  const seeds = [...new Set(jobs.map(({ seed }) => seed))].join(", ");
  const steps = [...new Set(jobs.map((job) => job.steps))].join(", ");
  const seconds = commonSeconds(all);
  const timed = minutesTable(all);
  const tests = `${measuring.tests} charts of ${measuring.split} tables, sampled at T = 1`;
  return [
    "# Ablation\n",
    `\`${command}\`: seeds ${seeds}, ${steps} steps, ${formatDuration(wall)} in all. Means over seeds, ± sample deviation; models as they are with bootstrap intervals of 95 %. Minutes and s/step are those of training, without evaluation.\n`,
    `## After equal steps: ${tests}\n`,
    stepsTable(models, all),
    ...(timed === undefined ? [] : [`## After ${minutes} minutes of training: ${tests}\n`, timed]),
    ...(seconds === undefined
      ? []
      : [
          `## At equal time: the last evaluation within a run's first ${(seconds / 60).toFixed(1)} minutes, on validation tables\n`,
          sameTimeTable(all, seconds),
        ]),
  ].join("\n");
}

/** Held-out values over time: at each time, the mean over the seeds of the last evaluation by then. */
function timeFigure(all: readonly ConfigurationResult[]): Record<string, string> {
  const shown = all.filter(({ results }) => results.some(({ curve }) => curve.length > 0));
  if (shown.length === 0) return {};
  const charts = (["reward/tool_misuse", "reward/tool_names", "reward/outcome"] as const).map(
    (metric): LineChart => ({
      title: `${metricTitles[metric]}, held out`,
      xLabel: "minutes of training",
      yLabel: metric,
      include: [0, 1],
      series: shown.map(({ name, results }) => {
        const times = [...new Set(results.flatMap(({ curve }) => curve.map(({ seconds }) => seconds)))].sort(
          (a, b) => a - b,
        );
        const points = times.flatMap((seconds) => {
          const values = results.flatMap(({ curve }) => lastBy(curve, seconds)?.metrics[metric] ?? []);
          const spread = values.length === results.length ? spreadOf(values) : undefined;
          return spread ? [{ step: seconds / 60, ...spread }] : [];
        });
        return { name, points: bandOf(points) };
      }),
    }),
  );
  return { "time.svg": panels(charts).toString() };
}

/** A folder for each experiment, with plain GRPO and the nano default beside it. */
async function figuresByExperiment(
  jobs: readonly AblationJob[],
  runs: ReadonlyMap<string, LoadedRun>,
  out: string,
): Promise<void> {
  const beside = ["nano-grpo", "nano-iapo-occlusion"];
  for (const source of new Set(jobs.map(({ recipe }) => recipe.source))) {
    const own = jobs.filter(({ recipe }) => recipe.source === source || beside.includes(recipe.name));
    const found = own.flatMap(({ id }) => runs.get(id) ?? []);
    if (!own.some(({ id, recipe }) => recipe.source === source && runs.has(id))) continue;
    const directory = join(out, source.toLowerCase().replace(/[^a-z0-9]+/g, "-"));
    await makeDirectory(directory);
    await writeFigures(found, directory);
  }
}

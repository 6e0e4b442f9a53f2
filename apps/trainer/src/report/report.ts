// iapo report: one page for one or several runs, and figures and tables of them.
import { mkdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { formatNumber, type GroupData, type PageData, renderPage, type Table } from "@iapo/viewer";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { chartsOf } from "./charts.ts";
import { writeFigures } from "./figures.ts";
import { finalMetrics, finalValue, finalWindow } from "./final-metrics.ts";
import { groupView } from "./group-view.ts";
import { PageImages } from "./images.ts";
import { stepsOf } from "./run-files.ts";
import { type LoadedRun, loadRun, runData } from "./run-report.ts";
import { evenly, firstGroup } from "./sampled-groups.ts";

export interface ReportOptions {
  /** The page; default `report.html` in the directory of a single run, or in the working directory. */
  readonly out?: string | undefined;
  /** Directory of figures and tables. */
  readonly figures?: string | undefined;
}

/** A page has so many groups over all runs, and so many bytes of images. */
const mostGroups = 36;
const mostImageBytes = 16 * 2 ** 20;

export async function report(directories: readonly string[], options: ReportOptions, io: CliIo): Promise<number> {
  const names = namesOf(directories);
  const runs: LoadedRun[] = [];
  for (const [i, directory] of directories.entries()) {
    io.note(`reading ${directory}`);
    runs.push(await loadRun(directory, names[i] as string));
  }
  const [first] = runs as [LoadedRun];
  const page = options.out ?? (runs.length === 1 ? join(first.directory, "report.html") : "report.html");
  await writeFileAtomic(page, renderPage(await pageData(runs)));
  io.out(`page: ${page}`);
  if (options.figures !== undefined) {
    await mkdir(options.figures, { recursive: true });
    for (const file of await writeFigures(runs, options.figures)) io.out(`figure or table: ${file}`);
  }
  return ExitCode.done;
}

/** The directories' own names, with as many of those above them as tell them apart. */
function namesOf(directories: readonly string[]): string[] {
  const paths = directories.map((directory) => resolve(directory).split(/[\\/]/));
  const tails = (length: number): string[] => paths.map((parts) => parts.slice(-length).join("/"));
  const longest = Math.max(...paths.map(({ length }) => length));
  for (let length = 1; length < longest; length++)
    if (new Set(tails(length)).size === paths.length) return tails(length);
  return directories.map((directory, i) => `${basename(directory)} (${i + 1})`); // one directory named twice
}

async function pageData(runs: readonly LoadedRun[]): Promise<PageData> {
  const images = new PageImages(mostImageBytes);
  const groups: GroupData[] = [];
  for (const run of runs) {
    for (const step of evenly(await stepsOf(run.directory), Math.max(1, Math.floor(mostGroups / runs.length)))) {
      const group = await firstGroup(step);
      if (!group) continue;
      const view = groupView(run.name, group);
      groups.push(view.data);
      for (const image of view.images) await images.take(run.directory, image);
    }
  }
  return {
    title: runs.length === 1 ? `Report of ${runs[0]?.name}` : `Report of ${runs.length} runs`,
    notes: [
      `Final metrics: held out, of the last evaluation; training, the mean of the last ${finalWindow} steps.`,
      ...(groups.length > 0 ? ["Episodes: the first group of steps that lie evenly over each run."] : []),
      ...(images.leftOut > 0 ? [`${images.leftOut} images did not fit into the page.`] : []),
    ],
    runs: await Promise.all(runs.map(runData)),
    summary: summary(runs),
    ...chartsOf(runs),
    groups,
    images: images.uris,
  };
}

/** Held out: the last evaluation. Training: the mean of the last steps. */
function summary(runs: readonly LoadedRun[]): Table {
  const rows = finalMetrics.flatMap(({ metric, title }) => {
    const values = runs.map((run) => finalValue(run, metric));
    if (values.every((value) => value === undefined)) return [];
    return [[title, ...values.map((value) => (value === undefined ? "" : formatNumber(value)))]];
  });
  return {
    columns: ["metric", ...runs.map(({ name }) => name)],
    rows,
  };
}

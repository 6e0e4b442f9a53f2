// One page for one run or several.
import { basename, dirname, join } from "node:path";
import { removeAbandoned, writeFileAtomic } from "@iapo/rollout-trace/files";
import { formatNumber } from "../numbers.ts";
import type { GroupData, PageData, Table } from "../page/data.ts";
import { renderPage } from "../page/page.ts";
import { finalMetrics, finalValue, finalWindow } from "../runs/final-metrics.ts";
import type { LoadedRun } from "../runs/loaded-run.ts";
import { stepsOf } from "../runs/run-files.ts";
import { evenly, firstGroup } from "../runs/sampled-groups.ts";
import { chartsOf } from "./charts.ts";
import { groupView } from "./group-view.ts";
import { PageImages } from "./page-images.ts";
import { runData } from "./run-data.ts";

/** A page has so many groups over all runs, and so many bytes of images. */
const mostGroups = 36;
const mostImageBytes = 16 * 2 ** 20;

/**
 * Writes one HTML document that loads nothing: curves, tables, episodes with their images.
 * @param path default `report.html` in the directory of a single run, or in the working directory
 * @returns the path
 * @throws RunReportError `missing`, `invalid`; TraceError where a step is damaged
 */
export async function writeReport(runs: readonly LoadedRun[], path = defaultPath(runs)): Promise<string> {
  await removeAbandoned(dirname(path), basename(path));
  await writeFileAtomic(path, renderPage(await pageData(runs)));
  return path;
}

function defaultPath([first, ...more]: readonly LoadedRun[]): string {
  return first !== undefined && more.length === 0 ? join(first.directory, "report.html") : "report.html";
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
      ...(images.leftOut.size > 0 ? [`${images.leftOut.size} images did not fit into the page.`] : []),
      ...(images.refused.size > 0
        ? [`${images.refused.size} images are not shown: they are missing, too large, or not what their names say.`]
        : []),
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

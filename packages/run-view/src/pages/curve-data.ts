// The values of one chart: for the page as numbers, for people as SVG and CSV. All are of the one chart that the report would draw.

import { toCsv } from "@iapo/rollout-trace/text";
import { configurationsOf, type LineChart, lineChart, listedMetrics, metricChart, spreadChart } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";
import { loaded } from "./curves.ts";

/** Undefined where no run has the metric. */
export function curveOf(runs: readonly ViewedRun[], metric: string, mean: boolean): LineChart | undefined {
  const { sections, others } = listedMetrics(new Set([metric]));
  const listed = [...sections.flatMap(({ metrics }) => metrics), ...others].find((one) => one.metric === metric);
  if (!listed) return undefined;
  const given = loaded(runs, [metric, `val/${metric}`]);
  return mean ? spreadChart(listed, configurationsOf(given)) : metricChart(listed, given);
}

/** By column: a chart may have 100,000 points. `null` is a gap. */
export function curveJson({ series, ...chart }: LineChart): object {
  return {
    ...chart,
    series: series.map(({ points, ...one }) => {
      const hasBand = points.some(({ low }) => low !== undefined);
      return {
        ...one,
        x: points.map(({ x }) => x),
        y: points.map(({ y }) => y),
        ...(hasBand && { low: points.map(({ y, low }) => low ?? y), high: points.map(({ y, high }) => high ?? y) }),
      };
    }),
  };
}

export function curveSvg(chart: LineChart): string {
  return lineChart(chart).toString();
}

export function curveCsv({ yLabel, series }: LineChart): string {
  const rows = series.flatMap(({ name, points }) =>
    points.map(({ x, y, low, high }) => [name, x, y ?? undefined, low, high]),
  );
  return toCsv(["series", "step", yLabel, "low", "high"], rows);
}

// Figures and tables for a text: SVG, CSV and Markdown. Configurations are compared; their seeds give the spread.
import { join } from "node:path";
import { makeDirectory, removeAbandoned, writeFileAtomic } from "@iapo/rollout-trace/files";
import { toCsv, toMarkdown } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import { type Configuration, configurationsOf, curveOf, spreadOf } from "../runs/configurations.ts";
import { finalMetrics, finalValue } from "../runs/final-metrics.ts";
import type { LoadedRun } from "../runs/loaded-run.ts";
import type { LineChart } from "../svg/line-chart.ts";
import { panels } from "../svg/panels.ts";
import { caseStudyCharts, readCaseStudy } from "./case-study.ts";
import { spreadChart } from "./charts.ts";

interface Panel {
  readonly metric: string;
  readonly title: string;
}

/** The paper's Figure 4, and misuse with what it may be traded for beside it. */
const figures: Readonly<Record<string, readonly Panel[]>> = {
  "tool-use": [
    { metric: "tool_call_ratio", title: "Tool-call ratio" },
    { metric: "tool_call_success_rate", title: "Success of calls" },
  ],
  faults: [
    { metric: "reward/tool_misuse", title: "Misuse" },
    { metric: "reward/tool_names", title: "Right names" },
    { metric: "reward/outcome", title: "Outcome reward" },
  ],
};

/**
 * Writes what the runs have values for, into a directory that is made where there is none.
 * @returns the files
 * @throws RunReportError `invalid` for a case study that is none
 */
export async function writeFigures(runs: readonly LoadedRun[], directory: string): Promise<string[]> {
  const configurations = configurationsOf(runs);
  const files = { ...curveFigures(configurations), ...finalTables(configurations), ...(await caseStudies(runs)) };
  await makeDirectory(directory);
  await removeAbandoned(directory);
  const paths: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await writeFileAtomic(path, content);
    paths.push(path);
  }
  return paths;
}

function curveFigures(configurations: readonly Configuration[]): Record<string, string> {
  const files: Record<string, string> = {};
  const rows: (string | number | undefined)[][] = [];
  for (const [name, metrics] of Object.entries(figures)) {
    const charts = metrics.map((panel): LineChart => {
      for (const configuration of configurations)
        for (const { step, mean, deviation, count } of curveOf(configuration, panel.metric))
          rows.push([configuration.name, panel.metric, step, mean, deviation, count]);
      const { series, ...chart } = spreadChart({ ...panel, share: true }, configurations);
      return { ...chart, series: series.filter(({ sparse }) => !sparse) }; // of training alone
    });
    const drawn = charts.filter(({ series }) => series.length > 0);
    if (drawn.length > 0) files[`${name}.svg`] = panels(drawn).toString();
  }
  if (rows.length > 0) files["curves.csv"] = toCsv(["configuration", "metric", "step", "mean", "sd", "n"], rows);
  return files;
}

/** Final values: mean, standard deviation and number of seeds of each configuration. */
function finalTables(configurations: readonly Configuration[]): Record<string, string> {
  const found = finalMetrics.flatMap(({ metric, title }) => {
    const spreads = configurations.map(({ runs }) => spreadOf(runs.flatMap((run) => finalValue(run, metric) ?? [])));
    return spreads.some((spread) => spread !== undefined) ? [{ metric, title, spreads }] : [];
  });
  const steps = configurations.map(({ runs }) => [...new Set(runs.map((run) => run.steps.length))].join(", "));
  const csv = configurations.flatMap(({ name }, i) =>
    found.flatMap(({ metric, spreads }) => {
      const spread = spreads[i];
      return spread ? [[name, metric, spread.mean, spread.deviation, spread.count]] : [];
    }),
  );
  const markdown = configurations.map(({ name, runs }, i) => [
    name,
    runs.length,
    steps[i],
    ...found.map(({ spreads }) => {
      const { mean, deviation } = spreads[i] ?? {};
      if (mean === undefined) return "";
      return deviation === undefined ? formatNumber(mean) : `${formatNumber(mean)} ± ${formatNumber(deviation)}`;
    }),
  ]);
  return {
    "final-metrics.csv": toCsv(["configuration", "metric", "mean", "sd", "n"], csv),
    "final-metrics.md": toMarkdown(["configuration", "seeds", "steps", ...found.map(({ title }) => title)], markdown),
  };
}

async function caseStudies(runs: readonly LoadedRun[]): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const rows: (string | number | undefined)[][] = [];
  for (const { directory, name } of runs) {
    const study = await readCaseStudy(directory);
    if (!study) continue;
    files[`case-study-${Object.keys(files).length + 1}.svg`] = panels(caseStudyCharts(study, name)).toString();
    const models = [
      ...study.student.map(({ step, study: own }) => ({ model: "student", step, own })),
      ...(study.teacher ? [{ model: "teacher", step: undefined, own: study.teacher }] : []),
    ];
    for (const { model, step, own } of models) {
      const { responses, calls, misuse, rewards, definitions } = own;
      const counts = { responses, calls, misuse, right_names: rewards.tool_names, outcome: rewards.outcome };
      const shares = definitions.flatMap(({ method: { method }, rightShare, misusedShare }) => [
        [`${method}/right_share`, rightShare?.mean],
        [`${method}/misused_share`, misusedShare?.mean],
      ]);
      for (const [measure, value] of [...Object.entries(counts), ...shares] as [string, number | undefined][])
        if (value !== undefined) rows.push([name, model, step, measure, value]);
    }
  }
  if (rows.length > 0) files["case-studies.csv"] = toCsv(["run", "model", "step", "measure", "value"], rows);
  return files;
}

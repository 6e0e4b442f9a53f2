// The results as people read them: a line for each metric, and the paper's Table 1.

import { toCsv } from "@iapo/rollout-trace/text";
import { type MissingSet, testSetNames, testSets } from "@iapo/vqa-tasks/sources";
import { type Estimate, type Measured, metricNames, metricTitles } from "./metrics.ts";

/** `accuracy  0.431 [0.388, 0.472]`, one metric a line. */
export function metricTable(title: string, { tasks, responses, failed, metrics }: Measured): string {
  const lines = metricNames.map((name) => `  ${metricTitles[name].padEnd(16)}${estimateText(metrics[name])}`);
  const without = failed.length > 0 ? `, ${failed.length} more failed and are not counted` : "";
  return [
    `${title}: ${responses} responses to ${tasks} tasks${without}, 95 % bootstrap intervals`,
    ...lines,
    ...failed.slice(0, SHOWN).map(({ task, reason }) => `  failed: ${task}: ${reason}`),
    ...(failed.length > SHOWN ? [`  and ${failed.length - SHOWN} more`] : []),
  ].join("\n");
}

/** Failed tasks that a table names; the results name all. */
const SHOWN = 10;

/** `0.431 [0.388, 0.472]`; `-` where nothing was counted. */
export function estimateText({ value, interval }: Estimate): string {
  if (value === null) return "-";
  const around = interval ? ` [${interval.map((bound) => bound.toFixed(3)).join(", ")}]` : "";
  return `${value.toFixed(3)}${around}`;
}

/** Accuracy in percent; null where a set is missing. `average` is the plain mean of all six, as in the paper. */
export interface TableOne {
  readonly columns: readonly { readonly title: string; readonly accuracy: number | null }[];
  readonly average: number | null;
}

export function tableOne(measured: ReadonlyMap<string, Measured>): TableOne {
  const columns = testSetNames.map((name) => {
    const value = measured.get(name)?.metrics["reward/outcome"].value ?? null;
    return { title: testSets[name].title, accuracy: value === null ? null : 100 * value };
  });
  const values = columns.flatMap(({ accuracy }) => accuracy ?? []);
  const sum = values.reduce((total, value) => total + value, 0);
  return { columns, average: values.length === columns.length ? sum / values.length : null };
}

export function tableOneText(
  model: string,
  measured: ReadonlyMap<string, Measured>,
  missing: readonly MissingSet[],
): string {
  const { columns, average } = tableOne(measured);
  const all = [...columns, { title: "Avg", accuracy: average }];
  const width = Math.max(12, model.length) + 2;
  const head = `${"model".padEnd(width)}${all.map(({ title }) => title.padStart(11)).join("")}`;
  const row = `${model.padEnd(width)}${all.map(({ accuracy }) => percent(accuracy).padStart(11)).join("")}`;
  const notes = missing.map(({ name, missing: what }) => `  ${testSets[name].title} is missing: ${what}`);
  const parts = testSetNames.flatMap((name) => {
    const { title, published } = testSets[name];
    const { tasks = published, failed = [] } = measured.get(name) ?? {};
    const without = failed.length > 0 ? `, ${failed.length} failed and are not counted` : "";
    return tasks < published ? [`  ${title}: ${tasks} of the ${published} published questions${without}`] : [];
  });
  return [head, row, ...parts, ...notes].join("\n");
}

/** Cells of missing sets are empty. */
export function tableOneCsv(model: string, { columns, average }: TableOne): string {
  const values = [...columns.map(({ accuracy }) => accuracy), average].map((value) => value?.toFixed(1));
  return toCsv(["model", ...columns.map(({ title }) => title), "Avg"], [[model, ...values]]);
}

function percent(value: number | null): string {
  return value === null ? "-" : value.toFixed(1);
}

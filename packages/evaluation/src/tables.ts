// The results as people read them: a line for each metric, and the paper's Table 1.

import { type MissingSet, testSetNames, testSets } from "@iapo/vqa-tasks/sources";
import { type Measured, metricNames, metricTitles } from "./metrics.ts";

/** `accuracy  0.431 [0.388, 0.472]`, one metric a line. */
export function metricTable(title: string, { tasks, responses, metrics }: Measured): string {
  const lines = metricNames.map((name) => {
    const { value, interval } = metrics[name];
    const shown = value === null ? "-" : value.toFixed(3);
    const [low, high] = interval ?? [];
    const around = low === undefined ? "" : ` [${low.toFixed(3)}, ${high?.toFixed(3)}]`;
    return `  ${metricTitles[name].padEnd(16)}${shown}${around}`;
  });
  return [`${title}: ${responses} responses to ${tasks} tasks, 95 % bootstrap intervals`, ...lines].join("\n");
}

/** Accuracy in percent; null where a set is missing. `average` is the plain mean of all six, as in the paper. */
export interface TableOne {
  readonly columns: readonly { readonly title: string; readonly accuracy: number | null }[];
  readonly average: number | null;
}

export function tableOne(measured: ReadonlyMap<string, Measured>): TableOne {
  const columns = testSetNames.map((name) => {
    const value = measured.get(name)?.metrics.accuracy.value ?? null;
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
    const tasks = measured.get(name)?.tasks ?? published;
    return tasks < published ? [`  ${title}: ${tasks} of the ${published} published questions`] : [];
  });
  return [head, row, ...parts, ...notes].join("\n");
}

export function tableOneCsv(model: string, { columns, average }: TableOne): string {
  const cells = [model, ...columns.map(({ accuracy }) => percent(accuracy)), percent(average)];
  const quoted = cells.map((cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell));
  return `model,${columns.map(({ title }) => title).join(",")},Avg\n${quoted.join(",")}\n`;
}

function percent(value: number | null): string {
  return value === null ? "-" : value.toFixed(1);
}

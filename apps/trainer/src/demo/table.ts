// The demo's result: a column for each model, a line for each rate.
import { estimateText, type Measured, metricNames, metricTitles } from "@iapo/evaluation";

export interface Column {
  readonly title: string;
  readonly measured: Pick<Measured, "metrics">;
}

const WIDTH = 22;

/** `0.512 [0.466, 0.558]`: rates with 95 % bootstrap intervals. */
export function comparison(columns: readonly Column[]): string {
  const first = Math.max(...metricNames.map((name) => metricTitles[name].length)) + 2;
  const head = " ".repeat(first) + columns.map(({ title }) => title.padEnd(WIDTH)).join("");
  const lines = metricNames.map((name) => {
    const cells = columns.map(({ measured }) => estimateText(measured.metrics[name]).padEnd(WIDTH));
    return `${metricTitles[name].padEnd(first)}${cells.join("")}`.trimEnd();
  });
  return [head.trimEnd(), ...lines].join("\n");
}

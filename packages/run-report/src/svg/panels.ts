// Several charts side by side as one figure.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { type ChartLayout, type LineChart, lineChart } from "./line-chart.ts";

/** An `svg` element that stands alone. */
export function panels(
  charts: readonly LineChart[],
  layout: ChartLayout = { width: 480, height: 320, legend: true },
): Markup {
  const { width, height } = layout;
  const whole = width * charts.length;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${whole} ${height}" width="${whole}" height="${height}">
${charts.map((chart, i) => html`<svg x="${i * width}" width="${width}" height="${height}">${lineChart(chart, layout)}</svg>`)}</svg>
`;
}

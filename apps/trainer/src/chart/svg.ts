// A curve as an SVG file.
import { lineChart, logScale } from "@iapo/viewer";

/** `values`, one a step, on a logarithmic scale; one that is not a number is drawn at the top. `title` is plain text. */
export function curveSvg(values: readonly number[], title: string): string {
  const { high } = logScale(values);
  const points = values.map((value, i) => ({ x: i + 1, y: Number.isFinite(value) ? value : high }));
  const chart = { title, xLabel: "step", yLabel: "loss", series: [{ name: "loss", points }], logarithmic: true };
  return lineChart(chart, { width: 720, height: 400, legend: false }).toString();
}

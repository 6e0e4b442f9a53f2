// Scores of blocks as bars, those of several scorers (student, teacher) beneath each other for each block.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import { seriesStyle } from "./palette.ts";

export interface BarChart {
  readonly title: string;
  readonly labels: readonly string[];
  /** Each with a value for each label; null where there is none. */
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

const [width, labelWidth, valueWidth, barHeight, gap, longestLabel] = [460, 200, 56, 11, 8, 31] as const;

/** An `svg` element. All bars have one scale, symmetric around zero where there are negative values. */
export function barChart({ title, labels, series }: BarChart): Markup {
  const values = series.flatMap((one) =>
    one.values.filter((value) => value !== null && Number.isFinite(value)),
  ) as number[];
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const isSigned = values.some((value) => value < 0);
  const room = width - labelWidth - valueWidth;
  const zero = labelWidth + (isSigned ? room / 2 : 0);
  const unit = (isSigned ? room / 2 : room) / largest;
  const rowHeight = series.length * barHeight + gap;
  const height = labels.length * rowHeight + 24;
  const bar = (row: number, place: number): Markup => {
    const value = series[place]?.values[row] ?? null;
    const y = 22 + row * rowHeight + place * barHeight;
    if (value === null || !Number.isFinite(value)) return html``;
    const { color, className } = seriesStyle(place);
    const length = Math.abs(value) * unit;
    return html`<g class="series ${className}"><rect x="${(value < 0 ? zero - length : zero).toFixed(1)}" y="${y}" width="${Math.max(0.5, length).toFixed(1)}" height="${barHeight - 2}" fill="${color}"/></g><text x="${width - 2}" y="${y + barHeight / 2}" text-anchor="end" dominant-baseline="middle" font-size="10" fill-opacity="0.8">${formatNumber(value)}</text>`;
  };
  let x = 0;
  const legend = series.map(({ name }, place) => {
    const { color, className } = seriesStyle(place);
    const entry = html`<g class="series ${className}"><rect x="${x}" y="3" width="12" height="9" fill="${color}"/></g><text x="${x + 17}" y="8" dominant-baseline="middle">${name}</text>`;
    x += 34 + Array.from(name).length * 6.8;
    return entry;
  });
  const rows = labels.map(
    (label, row) =>
      html`<text x="${labelWidth - 8}" y="${22 + row * rowHeight + (series.length * barHeight) / 2}" text-anchor="end" dominant-baseline="middle"><title>${label}</title>${shorten(label)}</text>${series.map((_, place) => bar(row, place))}`,
  );
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}" color="#1c1c1c" font-family="system-ui, sans-serif" font-size="11"><rect class="paper" width="${width}" height="${height}" fill="#fff"/><g fill="currentColor">${legend}${rows}<line x1="${zero}" x2="${zero}" y1="18" y2="${height - 4}" stroke="currentColor" stroke-opacity="0.5"/></g></svg>
`;
}

/** The end tells blocks apart: names of tools begin alike. */
function shorten(label: string): string {
  const characters = Array.from(label);
  return characters.length <= longestLabel ? label : `…${characters.slice(1 - longestLabel).join("")}`;
}

// A chart of lines over steps, with bands of spread, as SVG that stands alone or in the page.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import { seriesStyle } from "./palette.ts";
import { formatTick, linearScale, logScale, type Scale } from "./scale.ts";

export interface Point {
  readonly x: number;
  /** Null or not finite: a gap. */
  readonly y: number | null;
  /** The band's bounds. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Series of one number have one color; default its place. */
  readonly color?: number | undefined;
  /** Measured now and then: dashes and dots. */
  readonly sparse?: boolean | undefined;
}

export interface Reference {
  readonly name: string;
  readonly y: number;
}

export interface LineChart {
  readonly title: string;
  /** With the unit, such as `seconds`. */
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Horizontal lines to compare with. */
  readonly references?: readonly Reference[] | undefined;
  readonly logarithmic?: boolean | undefined;
  /** Bounds that the axis has at least. */
  readonly include?: readonly number[] | undefined;
}

export interface ChartLayout {
  readonly width: number;
  readonly height: number;
  readonly legend: boolean;
}

const fontSize = 12;
const legendRow = 18;

/** An `svg` element; all text is escaped. Colors are attributes, which a page's style sheet may override. */
export function lineChart(chart: LineChart, { width, height, legend }: ChartLayout = paperLayout): Markup {
  const entries = legend ? legendOf(chart, width) : { markup: undefined, rows: 0 };
  const top = 38 + entries.rows * legendRow;
  const points = chart.series.flatMap((series) => series.points);
  const yValues = points.flatMap(({ y, low, high }) => [y ?? Number.NaN, low ?? Number.NaN, high ?? Number.NaN]);
  const known = [...yValues, ...(chart.references ?? []).map((reference) => reference.y), ...(chart.include ?? [])];
  const yScale = (chart.logarithmic ? logScale : linearScale)(known);
  const xScale = stepScale(points.map(({ x }) => x));
  const ticks = yScale.ticks.map((tick) => formatTick(tick, yScale));
  const left = 30 + Math.max(...ticks.map(({ length }) => length)) * fontSize * 0.6;
  const frame = { left, right: width - 14, top, bottom: height - 42 };
  const place: Place = {
    x: (value) => frame.left + xScale.position(value) * (frame.right - frame.left),
    y: (value) => frame.bottom - yScale.position(value) * (frame.bottom - frame.top),
  };
  const domain = [xScale.low, xScale.high, yScale.low, yScale.high].join(" ");
  const bounds = [frame.left, frame.right, frame.top, frame.bottom].join(" ");
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${describe(chart)}" color="#1c1c1c" font-family="system-ui, sans-serif" font-size="${fontSize}" data-domain="${domain}" data-frame="${bounds}" data-scale="${yScale.isLogarithmic ? "log" : "linear"}">
<rect class="paper" width="${width}" height="${height}" fill="#fff"/>
<text x="14" y="21" font-size="14" font-weight="600" fill="currentColor">${chart.title}</text>
${entries.markup}
${axes(chart, frame, xScale, yScale, place)}
${(chart.references ?? []).map((reference) => referenceLine(reference, frame, place))}
${chart.series.map((series, i) => drawSeries(series, series.color ?? i, place))}
</svg>
`;
}

/** For a figure in a text. */
const paperLayout: ChartLayout = { width: 560, height: 340, legend: true };

interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

interface Place {
  x(value: number): number;
  y(value: number): number;
}

/** Steps are counted; the axis ends at the last one. */
function stepScale(steps: readonly number[]): Scale {
  const { low, high, ticks } = linearScale(steps);
  const last = steps.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const first = steps.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const [from, to] = last > first ? [first, last] : [low, high];
  const inside = ticks.filter((tick) => tick >= from && tick <= to && Number.isInteger(tick));
  return {
    low: from,
    high: to,
    isLogarithmic: false,
    ticks: inside,
    position: (value) => (value - from) / (to - from),
  };
}

function axes(chart: LineChart, frame: Frame, xScale: Scale, yScale: Scale, place: Place): Markup {
  const middle = (frame.top + frame.bottom) / 2;
  const labelSize = Math.min(fontSize, (frame.bottom - frame.top + 24) / (chart.yLabel.length * 0.58 + 1));
  return html`<g fill="currentColor">${yScale.ticks.map(
    (tick) =>
      html`<line x1="${frame.left}" x2="${frame.right}" y1="${fixed(place.y(tick))}" y2="${fixed(place.y(tick))}" stroke="currentColor" stroke-opacity="0.14"/><text x="${frame.left - 7}" y="${fixed(place.y(tick))}" text-anchor="end" dominant-baseline="middle">${formatTick(tick, yScale)}</text>`,
  )}${xScale.ticks.map(
    (tick) =>
      html`<line x1="${fixed(place.x(tick))}" x2="${fixed(place.x(tick))}" y1="${frame.bottom}" y2="${frame.bottom + 4}" stroke="currentColor" stroke-opacity="0.5"/><text x="${fixed(place.x(tick))}" y="${frame.bottom + 17}" text-anchor="middle">${formatTick(tick, xScale)}</text>`,
  )}<line x1="${frame.left}" x2="${frame.right}" y1="${frame.bottom}" y2="${frame.bottom}" stroke="currentColor" stroke-opacity="0.5"/><text x="${(frame.left + frame.right) / 2}" y="${frame.bottom + 34}" text-anchor="middle" fill-opacity="0.75">${chart.xLabel}</text><text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle" font-size="${fixed(labelSize)}" fill-opacity="0.75">${chart.yLabel}</text></g>`;
}

function referenceLine({ name, y }: Reference, frame: Frame, place: Place): Markup {
  const at = fixed(place.y(y));
  return html`<g class="reference" fill="currentColor"><line x1="${frame.left}" x2="${frame.right}" y1="${at}" y2="${at}" stroke="currentColor" stroke-dasharray="2 3"/><text x="${frame.right - 4}" y="${fixed(place.y(y) - 5)}" text-anchor="end">${name}</text></g>`;
}

function drawSeries({ name, points, sparse }: Series, index: number, place: Place): Markup {
  const { color, className, dashes } = seriesStyle(index);
  const runs = unbroken(points);
  const dasharray = sparse ? "5 4" : dashes ? "8 3" : undefined;
  const at = (x: number, y: number): string => `${fixed(place.x(x))},${fixed(place.y(y))}`;
  const band = (run: readonly Known[]): Markup | undefined => {
    const upper = run.map(({ x, y, high }) => at(x, high ?? y));
    const lower = run.map(({ x, y, low }) => at(x, low ?? y)).reverse();
    const hasBand = run.some(({ low, high }) => low !== undefined || high !== undefined);
    return hasBand
      ? html`<polygon points="${[...upper, ...lower].join(" ")}" fill="${color}" fill-opacity="0.18"/>`
      : undefined;
  };
  const line = (run: readonly Known[]): Markup =>
    html`<polyline points="${run.map(({ x, y }) => at(x, y)).join(" ")}" fill="none" stroke="${color}" stroke-width="2" stroke-linejoin="round"${dasharray && html` stroke-dasharray="${dasharray}"`}/>`;
  const dotted = sparse ? runs.flat() : runs.filter(({ length }) => length === 1).flat();
  const dots = dotted.map(
    ({ x, y }) => html`<circle cx="${fixed(place.x(x))}" cy="${fixed(place.y(y))}" r="2.6" fill="${color}"/>`,
  );
  return html`<g class="series ${className}" data-name="${name}">${runs.map(band)}${runs.map(line)}${dots}</g>`;
}

type Known = Point & { readonly y: number };

/** Stretches without gaps. */
function unbroken(points: readonly Point[]): Known[][] {
  const runs: Known[][] = [[]];
  for (const point of points) {
    if (point.y !== null && Number.isFinite(point.y) && Number.isFinite(point.x)) runs.at(-1)?.push(point as Known);
    else if (runs.at(-1)?.length) runs.push([]);
  }
  return runs.filter(({ length }) => length > 0);
}

function legendOf({ series }: LineChart, width: number): { markup: Markup | undefined; rows: number } {
  if (series.length < 2) return { markup: undefined, rows: 0 };
  let [x, row] = [14, 0];
  const entries = series.map(({ name, color, sparse }, i) => {
    const { color: ink, className, dashes } = seriesStyle(color ?? i);
    const length = 34 + Array.from(name).length * fontSize * 0.56;
    if (x > 14 && x + length > width - 8) [x, row] = [14, row + 1];
    const y = 38 + row * legendRow;
    const entry = html`<g class="series ${className}"><line x1="${x}" x2="${x + 18}" y1="${y}" y2="${y}" stroke="${ink}" stroke-width="3"${(sparse || dashes) && html` stroke-dasharray="5 4"`}/><text x="${x + 23}" y="${y}" dominant-baseline="middle" fill="currentColor">${name}</text></g>`;
    x += length + 8;
    return entry;
  });
  return { markup: html`<g>${entries}</g>`, rows: row + 1 };
}

/** For those who do not see it: the title, and where each line begins and ends. */
function describe({ title, series, yLabel, xLabel }: LineChart): string {
  const ends = series.map(({ name, points }) => {
    const known = unbroken(points).flat();
    const [first, last] = [known[0], known.at(-1)];
    if (!first || !last) return `${name}: no values`;
    return `${name}: ${formatNumber(first.y)} at ${formatNumber(first.x)} to ${formatNumber(last.y)} at ${formatNumber(last.x)}`;
  });
  return `${title}. ${yLabel} over ${xLabel}. ${ends.join("; ")}`;
}

function fixed(value: number): string {
  return value.toFixed(2).replace(/\.?0+$/, "");
}

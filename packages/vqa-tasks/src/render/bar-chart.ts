// Bar charts with exact boxes. As in the ReFocus data, a bar's box holds its whole slot: bar, name and the space around
// them; no pixel of a bar or its name lies outside its own box, and boxes do not overlap.
import type { NamedBox, Orientation } from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import { isDrawable, textWidth } from "./font.ts";
import { checkSize, type Picture } from "./picture.ts";
import type { Rasterizer } from "./rasterizer.ts";
import type { BarChartStyle } from "./styles.ts";
import { pixelLine, rectangle, svgDocument, textLine } from "./svg.ts";

export interface BarChart {
  /** `columns` for vertical bars, `rows` for horizontal ones. */
  readonly orientation: Orientation;
  /** From left to right, or from top to bottom; names are distinct, values lie in 0..axis.maximum. */
  readonly bars: readonly { readonly name: string; readonly value: number }[];
  /** The value axis starts at 0; a mark every `step`, a number every `labelStep`. */
  readonly axis: { readonly maximum: number; readonly step: number; readonly labelStep: number };
  readonly title?: string | undefined;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  readonly fontSize: number;
  readonly style: BarChartStyle;
}

/** Space between things, in pixels. */
const GAP = 3;
const LEAST_BAR_LENGTH = 24;

/** @throws VqaTasksError `undrawable` where a name has no glyphs, or bars and names do not fit the size. */
export function renderBarChart(chart: BarChart, rasterize: Rasterizer): Picture {
  const layout = layOut(chart);
  const { style, width, height } = chart;
  const boxes = layout.slots.map((slot) => slot.box);
  const elements = [...frame(chart, layout), ...layout.slots.flatMap((slot) => [slot.bar, slot.label])];
  return {
    image: rasterize(svgDocument(width, height, style.background, elements)),
    columns: chart.orientation === "columns" ? boxes : [],
    rows: chart.orientation === "rows" ? boxes : [],
  };
}

/** Whether a name's label fits a chart of this size with room for the bars. */
export function nameFits(name: string, size: number, fontSize: number): boolean {
  return isDrawable(name) && textWidth(name, fontSize) <= labelRoom(size);
}

function labelRoom(size: number): number {
  return Math.floor(size * 0.4);
}

type Slot = { readonly box: NamedBox; readonly bar: string; readonly label: string };
/** The plot's inner edges in pixels: bars lie in [left, right) x [top, bottom). */
interface Layout {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly slots: readonly Slot[];
}

function layOut(chart: BarChart): Layout {
  checkSize(chart.width, chart.height);
  const { bars, axis, fontSize, title } = chart;
  const names = bars.map((bar) => bar.name);
  if (bars.length === 0 || new Set(names).size < names.length) {
    throw new VqaTasksError("undrawable", "a bar chart needs at least one bar and a different name for each");
  }
  const outside = bars.find(({ value }) => !(value >= 0 && value <= axis.maximum));
  if (outside !== undefined) {
    throw new VqaTasksError(
      "undrawable",
      `bar "${outside.name}" has the value ${outside.value}, outside of 0..${axis.maximum}`,
    );
  }
  const head = title === undefined ? 0 : lineHeight(fontSize) + GAP;
  if (title !== undefined && textWidth(title, fontSize, "bold") > chart.width - 2 * GAP) throw tooSmall(chart, "title");
  return chart.orientation === "columns" ? verticalLayout(chart, head) : horizontalLayout(chart, head);
}

function verticalLayout(chart: BarChart, head: number): Layout {
  const { bars, axis, width, height, fontSize, style } = chart;
  const widths = bars.map((bar) => textWidth(bar.name, fontSize));
  const left = Math.ceil(textWidth(String(axis.maximum), tickSize(fontSize))) + 3 * GAP;
  const slotWidth = Math.floor((width - left - GAP) / bars.length);
  const upwards = Math.max(...widths) > slotWidth - GAP;
  const foot = upwards ? Math.ceil(Math.max(...widths)) + 2 * GAP : lineHeight(fontSize) + GAP;
  const top = head + Math.ceil(fontSize / 2) + 1;
  const bottom = height - foot;
  if (bottom - top < LEAST_BAR_LENGTH || slotWidth < lineHeight(fontSize)) throw tooSmall(chart, "bars");
  const thickness = barThickness(slotWidth, style);
  const slots = bars.map((bar, index): Slot => {
    const x1 = left + index * slotWidth;
    const middle = x1 + slotWidth / 2;
    const length = barLength(bar.value, axis.maximum, bottom - top);
    const x = x1 + Math.floor((slotWidth - thickness) / 2);
    const place = upwards
      ? { x: middle + fontSize * 0.36, y: bottom + GAP + 1, anchor: "end" as const, upwards }
      : { x: middle, y: bottom + GAP + Math.ceil(fontSize * 0.8), anchor: "middle" as const };
    return {
      box: { name: bar.name, x1, y1: top, x2: x1 + slotWidth - 1, y2: height - 1 },
      bar: barShape(x, bottom - length, thickness, length, index, style),
      label: textLine(bar.name, { ...place, size: fontSize, fill: style.ink }),
    };
  });
  return { left, right: left + slotWidth * bars.length, top, bottom, slots };
}

function horizontalLayout(chart: BarChart, head: number): Layout {
  const { bars, axis, width, height, fontSize, style } = chart;
  const left = Math.ceil(Math.max(...bars.map((bar) => textWidth(bar.name, fontSize)))) + 3 * GAP;
  const right = width - Math.ceil(textWidth(String(axis.maximum), tickSize(fontSize)) / 2) - GAP;
  const top = head + 1;
  const foot = lineHeight(tickSize(fontSize)) + GAP + 1;
  const slotHeight = Math.floor((height - top - foot) / bars.length);
  if (right - left < LEAST_BAR_LENGTH || slotHeight < lineHeight(fontSize)) throw tooSmall(chart, "bars");
  const thickness = barThickness(slotHeight, style);
  const slots = bars.map((bar, index): Slot => {
    const y1 = top + index * slotHeight;
    const y = y1 + Math.floor((slotHeight - thickness) / 2);
    return {
      box: { name: bar.name, x1: 0, y1, x2: width - 1, y2: y1 + slotHeight - 1 },
      bar: barShape(left, y, barLength(bar.value, axis.maximum, right - left), thickness, index, style),
      label: textLine(bar.name, {
        x: left - 2 * GAP,
        y: y1 + slotHeight / 2 + fontSize * 0.36,
        size: fontSize,
        fill: style.ink,
        anchor: "end",
      }),
    };
  });
  return { left, right, top, bottom: top + slotHeight * bars.length, slots };
}

/** Panel, grid, axis, marks, numbers and title: what belongs to no bar. */
function frame(chart: BarChart, layout: Layout): string[] {
  const { orientation, axis, fontSize, style, title, width } = chart;
  const { left, right, top, bottom } = layout;
  const vertical = orientation === "columns";
  const elements = [rectangle(left, top, right - left, bottom - top, style.panel)];
  for (let value = 0; value <= axis.maximum; value += axis.step) {
    const along = barLength(value, axis.maximum, vertical ? bottom - top : right - left);
    const numbered = value % axis.labelStep === 0;
    const reach = numbered ? 3 : 2;
    const x = left + along - (along > 0 ? 1 : 0);
    const y = bottom - along;
    if (style.grid !== undefined && numbered && value > 0) {
      elements.push(
        vertical ? pixelLine(left, y, right - 1, y, style.grid) : pixelLine(x, top, x, bottom - 1, style.grid),
      );
    }
    elements.push(
      vertical
        ? pixelLine(left - reach, y, left - 1, y, style.axis)
        : pixelLine(x, bottom, x, bottom + reach - 1, style.axis),
    );
    if (!numbered) continue;
    const size = tickSize(fontSize);
    elements.push(
      vertical
        ? textLine(String(value), { x: left - reach - 2, y: y + size * 0.36, size, fill: style.ink, anchor: "end" })
        : textLine(String(value), { x, y: bottom + reach + size, size, fill: style.ink, anchor: "middle" }),
    );
  }
  elements.push(
    vertical
      ? pixelLine(left, bottom, right - 1, bottom, style.axis)
      : pixelLine(left - 1, top, left - 1, bottom, style.axis),
  );
  if (vertical) elements.push(pixelLine(left - 1, top, left - 1, bottom, style.axis));
  if (title !== undefined) {
    elements.push(
      textLine(title, {
        x: width / 2,
        y: GAP + fontSize * 0.8,
        size: fontSize,
        fill: style.ink,
        weight: "bold",
        anchor: "middle",
      }),
    );
  }
  return elements;
}

function barShape(x: number, y: number, width: number, height: number, index: number, style: BarChartStyle): string {
  const fill = style.bars[index % style.bars.length] ?? style.ink;
  if (style.outline === undefined || width < 2 || height < 2) return rectangle(x, y, width, height, fill);
  return rectangle(x + 0.5, y + 0.5, width - 1, height - 1, fill, style.outline);
}

function barThickness(slot: number, style: BarChartStyle): number {
  return Math.max(2, Math.round(slot * style.thickness));
}

function barLength(value: number, maximum: number, length: number): number {
  return Math.round((value / maximum) * length);
}

function tickSize(fontSize: number): number {
  return Math.max(7, Math.round(fontSize * 0.85));
}

function lineHeight(fontSize: number): number {
  return Math.ceil(fontSize * 1.25);
}

function tooSmall(chart: BarChart, what: string): VqaTasksError {
  return new VqaTasksError(
    "undrawable",
    `${chart.width} x ${chart.height} pixels are too few for the ${what} of a chart with ${chart.bars.length} bars at font size ${chart.fontSize}; take a larger picture, a smaller font or shorter names`,
  );
}

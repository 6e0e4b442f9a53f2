// One chart: lines, bands and held-out dots by uPlot, the values beneath it, zoom by drawing over it.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import uPlot from "uplot";
import { smoothed } from "./smooth.ts";

/** As the server sends it. */
export interface CurveData {
  readonly title: string;
  readonly yLabel: string;
  readonly logarithmic?: boolean;
  readonly include?: readonly number[];
  readonly series: readonly {
    readonly name: string;
    readonly color?: number;
    readonly sparse?: boolean;
    readonly x: readonly number[];
    readonly y: readonly (number | null)[];
    readonly low?: readonly (number | null)[];
    readonly high?: readonly (number | null)[];
  }[];
}

export interface PlotSettings {
  readonly smooth: number;
  readonly log: boolean;
  readonly range: readonly [number, number] | undefined;
}

export interface CurvePlot {
  update(data: CurveData, settings: PlotSettings): void;
  set(settings: PlotSettings): void;
  zoom(range: readonly [number, number] | undefined): void;
}

const height = 190;

export function drawCurve(
  figure: HTMLElement,
  first: CurveData,
  settings: PlotSettings,
  onZoom: (range: readonly [number, number] | undefined) => void,
): CurvePlot {
  const place = figure.querySelector<HTMLElement>(".plot") as HTMLElement;
  const output = figure.querySelector("output");
  let data = first;
  let plot = make(settings);
  const resize = new ResizeObserver(() => {
    if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height });
  });
  resize.observe(place);
  place.addEventListener("keydown", (event) => {
    const last = (plot.data[0]?.length ?? 0) - 1;
    const { key } = event;
    if (key === "Escape") return onZoom(undefined);
    const by = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
    if (by === 0 || last < 0) return;
    event.preventDefault();
    const now = plot.cursor.idx ?? (by > 0 ? -1 : last + 1);
    const next = Math.min(last, Math.max(0, now + by));
    const left = plot.valToPos(plot.data[0]?.[next] ?? 0, "x");
    plot.setCursor({ left, top: height / 2 });
  });

  function make({ smooth, log, range }: PlotSettings): uPlot {
    const style = getComputedStyle(figure);
    const ink = style.color;
    const soft = getComputedStyle(figure.querySelector("figcaption .exports") ?? figure).color;
    const { columns, series, bands } = parts(data, smooth);
    const isLog = log && data.series.every(({ y }) => y.every((value) => value === null || value > 0));
    const grid = { stroke: soft, width: 0.25 };
    const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: "11px system-ui, sans-serif" };
    const [low, high] = [Math.min(...(data.include ?? [])), Math.max(...(data.include ?? []))];
    const made = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height,
        series: [{}, ...series],
        bands,
        legend: { show: false },
        scales: {
          x: { time: false, ...(range && { min: range[0], max: range[1] }) },
          y: {
            distr: isLog || (data.logarithmic && log) ? 3 : 1,
            ...(!isLog &&
              data.include && {
                range: (_: uPlot, from: number | null, to: number | null): uPlot.Range.MinMax => [
                  Math.min(low, from ?? low),
                  Math.max(high, to ?? high),
                ],
              }),
          },
        },
        axes: [
          { ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5] },
          {
            ...axis,
            size: 52,
            values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : String(Number(tick.toPrecision(4))))),
          },
        ],
        cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "curves" }, points: { size: 6 } },
        hooks: {
          setCursor: [read],
          setSelect: [
            ({ select, posToVal, setSelect }: uPlot) => {
              if (select.width > 4) onZoom([posToVal(select.left, "x"), posToVal(select.left + select.width, "x")]);
              setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      columns,
      place,
    );
    made.over.addEventListener("dblclick", () => onZoom(undefined));
    return made;
  }

  function parts({ series }: CurveData, smooth: number) {
    const steps = [...new Set(series.flatMap(({ x }) => x as number[]))].sort((a, b) => a - b);
    const places = new Map(steps.map((step, i) => [step, i]));
    const isSame = series.length === 1 && series[0]?.x.length === steps.length;
    const spread = (x: readonly number[], y: readonly (number | null)[]): (number | null | undefined)[] => {
      if (isSame) return [...y];
      const column: (number | null | undefined)[] = new Array(steps.length).fill(undefined);
      for (const [i, step] of x.entries()) column[places.get(step) ?? 0] = y[i] ?? null;
      return column;
    };
    const columns: (number | null | undefined)[][] = [steps];
    const lines: uPlot.Series[] = [];
    const bands: uPlot.Band[] = [];
    for (const { name, color = 0, sparse, x, y, low, high } of series) {
      const stroke = colorOf(color);
      const dashes = sparse ? [5, 4] : color >= 7 ? [8, 3] : undefined;
      const values = sparse ? y : smoothed(y, smooth);
      columns.push(spread(x, values));
      lines.push({
        label: name,
        stroke,
        width: sparse ? 1.5 : 2,
        ...(dashes && { dash: dashes }),
        points: { show: sparse || x.length === 1, size: 6, fill: stroke },
        spanGaps: false,
      });
      if (!low || !high) continue;
      columns.push(spread(x, smoothed(high, smooth)), spread(x, smoothed(low, smooth)));
      lines.push(
        { label: "", stroke: "transparent", width: 0, points: { show: false } },
        { label: "", stroke: "transparent", width: 0, points: { show: false } },
      );
      bands.push({
        series: [columns.length - 2, columns.length - 1],
        fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.18)"),
      });
    }
    return { columns: columns as uPlot.AlignedData, series: lines, bands };
  }

  /** Between the dots of held-out values the last one counts. */
  function read({ cursor: { idx }, data: columns, series }: uPlot): void {
    if (!output) return;
    if (idx === null || idx === undefined) {
      output.textContent = "";
      return;
    }
    const found = series.flatMap(({ label }, i) => {
      const value = i === 0 || label === "" ? undefined : columns[i]?.[idx];
      return value === null || value === undefined ? [] : [`${label as string} ${Number(value.toPrecision(4))}`];
    });
    output.textContent = `step ${columns[0][idx]}: ${found.join(", ")}`;
  }

  function again(settings: PlotSettings): void {
    plot.destroy();
    plot = make(settings);
  }

  return {
    update(fresh, now) {
      const isAlike =
        fresh.series.length === data.series.length &&
        fresh.series.every(({ name, low }, i) => name === data.series[i]?.name && !low === !data.series[i]?.low);
      data = fresh;
      if (!isAlike) return again(now);
      plot.setData(parts(data, now.smooth).columns, now.range === undefined);
      if (now.range) plot.setScale("x", { min: now.range[0], max: now.range[1] });
    },
    set: again,
    zoom(range) {
      const steps = plot.data[0];
      const [min, max] = range ?? [steps[0] ?? 0, steps[steps.length - 1] ?? 1];
      plot.setScale("x", { min, max });
    },
  };
}

/** The key above the charts has the colors, light or dark. */
function colorOf(index: number): string {
  const swatch = document.createElement("i");
  swatch.className = `swatch s${index % 7}`;
  document.body.append(swatch);
  const { color } = getComputedStyle(swatch);
  swatch.remove();
  return color;
}

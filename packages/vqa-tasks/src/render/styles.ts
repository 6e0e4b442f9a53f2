// Looks of charts and tables. All backgrounds are light, since a masking tool paints white.
export interface BarChartStyle {
  readonly name: string;
  readonly background: string;
  readonly panel: string;
  readonly ink: string;
  readonly axis: string;
  readonly grid?: string | undefined;
  readonly outline?: string | undefined;
  /** Colors of the bars in turn; one for a chart of one color. */
  readonly bars: readonly string[];
  /** Share of its slot that a bar takes. */
  readonly thickness: number;
}

const WHITE = "#ffffff";
const BLACK = "#000000";

export const barChartStyles: readonly BarChartStyle[] = [
  { name: "plain", background: WHITE, panel: WHITE, ink: BLACK, axis: BLACK, bars: ["#1f77b4"], thickness: 0.62 },
  { name: "green", background: WHITE, panel: WHITE, ink: BLACK, axis: BLACK, bars: ["#2ca02c"], thickness: 0.5 },
  {
    name: "grid",
    background: WHITE,
    panel: WHITE,
    ink: "#222222",
    axis: "#444444",
    grid: "#d0d0d0",
    bars: ["#8c564b"],
    thickness: 0.7,
  },
  {
    name: "panel",
    background: WHITE,
    panel: "#ebebeb",
    ink: "#333333",
    axis: "#7f7f7f",
    grid: WHITE,
    bars: ["#595959"],
    thickness: 0.8,
  },
  {
    name: "outlined",
    background: WHITE,
    panel: WHITE,
    ink: BLACK,
    axis: BLACK,
    outline: BLACK,
    bars: ["#17becf"],
    thickness: 0.6,
  },
  {
    name: "paper",
    background: "#fbf7ee",
    panel: "#fbf7ee",
    ink: "#3b2f20",
    axis: "#8a7a60",
    grid: "#e6dcc6",
    bars: ["#005f7f"],
    thickness: 0.55,
  },
  {
    name: "colors",
    background: WHITE,
    panel: WHITE,
    ink: BLACK,
    axis: BLACK,
    bars: ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#bcbd22"],
    thickness: 0.66,
  },
];

export interface TableStyle {
  readonly name: string;
  readonly header: string;
  readonly headerInk: string;
  readonly ink: string;
  readonly line: string;
  /** Whether lines part the columns too. */
  readonly grid: boolean;
  /** Backgrounds of the rows in turn. */
  readonly rows: readonly string[];
}

export const tableStyles: readonly [TableStyle, ...TableStyle[]] = [
  {
    name: "wikipedia",
    header: "#eaecf0",
    headerInk: "#202122",
    ink: "#202122",
    line: "#a2a9b1",
    grid: true,
    rows: ["#f8f9fa"],
  },
  { name: "plain", header: WHITE, headerInk: BLACK, ink: BLACK, line: BLACK, grid: true, rows: [WHITE] },
  {
    name: "striped",
    header: "#dfe7f2",
    headerInk: "#1b2a41",
    ink: "#1b2a41",
    line: "#c3cddb",
    grid: false,
    rows: [WHITE, "#f1f5fa"],
  },
  { name: "banner", header: "#2f4b6e", headerInk: WHITE, ink: "#222222", line: "#b9c2cc", grid: true, rows: [WHITE] },
];

/** The page of a run, and the charts on it: curves, every turn's image, attribution. */
export { escapeText, Markup } from "./markup.ts";
export { formatNumber } from "./numbers.ts";
export type {
  BlockData,
  GroupData,
  ImageData,
  PageData,
  RunData,
  SampleData,
  Table,
  ToolData,
  TurnData,
} from "./page/data.ts";
export { renderPage } from "./page/page.ts";
export { type BarChart, barChart } from "./svg/bars.ts";
export {
  type ChartLayout,
  type LineChart,
  lineChart,
  type Point,
  type Reference,
  type Series,
} from "./svg/line-chart.ts";
export { panels } from "./svg/panels.ts";
export { linearScale, logScale, type Scale } from "./svg/scale.ts";

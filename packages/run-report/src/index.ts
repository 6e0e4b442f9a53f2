// The page of a run, its figures and tables, its event file for TensorBoard; and the charts they are made of. Imports no GPU code.
export { RunReportError, type RunReportErrorCode } from "./error.ts";
export { formatDuration, formatNumber } from "./numbers.ts";
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
export {
  type CaseStudyCurve,
  caseStudyCharts,
  caseStudyFile,
  readCaseStudy,
  type StudiedModel,
} from "./report/case-study.ts";
export { writeFigures } from "./report/figures.ts";
export { writeReport } from "./report/report-page.ts";
export { bandOf, type Spread, spreadOf } from "./runs/configurations.ts";
export { type LoadedRun, loadRun, loadRuns } from "./runs/loaded-run.ts";
export { readTimings, type StepMetrics } from "./runs/run-files.ts";
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
export { EventFile, eventFileName } from "./tensorboard/event-file.ts";

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
export { type ImageAddress, picture, sampleView, taskView } from "./page/episode.ts";
export { renderPage } from "./page/page.ts";
export { alarmTable, colorKey, runDetails, table } from "./page/parts.ts";
export { pageStyle } from "./page/style.ts";
export { tokenColors } from "./page/tokens.ts";
export { raisedAlarms } from "./report/alarms.ts";
export {
  type CaseStudyCurve,
  caseStudyCharts,
  caseStudyFile,
  readCaseStudy,
  type StudiedModel,
} from "./report/case-study.ts";
export { type ListedMetric, listedMetrics, metricChart, spreadChart } from "./report/charts.ts";
export { writeFigures } from "./report/figures.ts";
export { type GroupViewOptions, groupView } from "./report/group-view.ts";
export { readKeptPng } from "./report/page-images.ts";
export { writeReport } from "./report/report-page.ts";
export { runData } from "./report/run-data.ts";
export { bandOf, type Configuration, configurationsOf, type Spread, spreadOf } from "./runs/configurations.ts";
export { finalMetrics, finalValue } from "./runs/final-metrics.ts";
export { type FleetFile, type FleetNow, type FleetStep, readFleet, workTable } from "./runs/fleet-file.ts";
export { type LoadedRun, loadRun, loadRuns, type NamedRun, runNames } from "./runs/loaded-run.ts";
export { meanAdvantage } from "./runs/mean-advantage.ts";
export { type Measured, measuredOf, readMetrics, readSmall, readTimings, type StepMetrics } from "./runs/run-files.ts";
export { readGroup, type SampledGroup } from "./runs/sampled-groups.ts";
export { type BarChart, barChart } from "./svg/bars.ts";
export {
  type ChartLayout,
  type LineChart,
  lineChart,
  type Point,
  type Reference,
  type Series,
} from "./svg/line-chart.ts";
export { seriesStyle } from "./svg/palette.ts";
export { panels } from "./svg/panels.ts";
export { linearScale, logScale, type Scale } from "./svg/scale.ts";
export { EventFile, eventFileName } from "./tensorboard/event-file.ts";

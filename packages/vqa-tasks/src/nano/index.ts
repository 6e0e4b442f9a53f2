// nano-charts: small bar charts without end, questions about them, and what a policy is taught to do with them.
export { createNanoCharts, type NanoChart, type NanoCharts } from "./charts.ts";
export {
  answerLine,
  type Caption,
  type Copy,
  caption,
  copy,
  type Demonstration,
  type DemonstrationFault,
  demonstrate,
  type Renamed,
  renamed,
  toolProgram,
} from "./demonstrations.ts";
export {
  cleanQuality,
  type DemonstrationQuality,
  type DemonstrationStyle,
  defaultNanoChartOptions,
  type Effect,
  type NanoChartOptions,
} from "./options.ts";
export type { Bar, NanoQuestion, QuestionKind } from "./questions.ts";
export { chain, type Lookup, lookup, lookupBlocks } from "./recall.ts";
export { type NanoSplit, nanoSplits } from "./tables.ts";

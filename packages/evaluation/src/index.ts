// Models on held-out tasks: resumable evaluations of a local model or of one behind an endpoint, rates with intervals, tables.
export { type EvaluationPaths, keepSettings, openEvaluation } from "./directory.ts";
export { type EndpointOptions, endpointPolicy } from "./endpoint.ts";
export { EvaluationError, type EvaluationErrorCode } from "./error.ts";
export {
  type EvaluationOptions,
  type EvaluationResults,
  estimateSchema,
  evaluateSets,
  readResults,
  writeResults,
} from "./evaluate.ts";
export { type Answers, answersOf, evaluateSet, type SetEvaluation } from "./evaluate-set.ts";
export { type JudgeSettings, openJudge } from "./judge.ts";
export {
  type Estimate,
  type FailedTask,
  type Measured,
  type MetricName,
  measure,
  metricNames,
  metricTitles,
} from "./metrics.ts";
export { estimateText, metricTable, type TableOne, tableOne, tableOneCsv, tableOneText } from "./tables.ts";

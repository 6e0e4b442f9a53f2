/** Models on held-out tasks: resumable evaluations of a local model or of one behind an endpoint, rates with intervals, tables. */
export { type EvaluationPaths, keepSettings, openEvaluation } from "./directory.ts";
export { type EndpointOptions, endpointPolicy } from "./endpoint.ts";
export { EvaluationError, type EvaluationErrorCode } from "./error.ts";
export { evaluateSet, groupsOf, type SetEvaluation } from "./evaluate-set.ts";
export { type JudgeSettings, openJudge } from "./judge.ts";
export { type Estimate, type Measured, type MetricName, measure, metricNames, metricTitles } from "./metrics.ts";
export { metricTable, type TableOne, tableOne, tableOneCsv, tableOneText } from "./tables.ts";

/** Studies of models: diagnosis before a run, case study, one call looked at, the ablation's queue and results. Plain functions on files; Node only. */
export {
  type AblationJob,
  type Measuring,
  measureDirectory,
  modelName,
  modelPath,
  runDirectoryOf,
  timedName,
  trainingSeconds,
} from "./ablation/places.ts";
export { type Outcome, type QueueItem, runQueue } from "./ablation/queue.ts";
export { type AblationReport, writeAblation } from "./ablation/report.ts";
export { type JobState, QueueState } from "./ablation/state.ts";
export { toolsByAxis } from "./axis.ts";
export { type ExplainedCall, type ExplainRequest, explainCall } from "./call/explain-call.ts";
export { barsText, blocksSvg, heatedImage, tokensText } from "./call/pictures.ts";
export {
  type LateStudyPoint,
  type StudyMethod,
  type StudyModelsOptions,
  type StudyPoint,
  studyModels,
} from "./case-study/study-models.ts";
export { caseStudyCsv, caseStudyTable } from "./case-study/table.ts";
export { compareWithChoice, type EarlierChoice, readChoice } from "./diagnosis/choice.ts";
export { diagnoseModels, type ModelDiagnosisOptions } from "./diagnosis/diagnose-models.ts";
export type { Choice, DiagnosisFile } from "./diagnosis/file.ts";
export { forcedCalls } from "./diagnosis/forced-calls.ts";
export type { DiagnosedModels } from "./diagnosis/score-charts.ts";
export type { StudySubject } from "./subject.ts";

// Studies of models: diagnosis before a run, case study, one call looked at, the ablation's queue and results. Plain functions on files; Node only.
export { type AblationOptions, type AblationResult, runAblation } from "./ablation/ablation.ts";
export { ablationJobs, type JobOptions } from "./ablation/jobs.ts";
export type { AblationJob } from "./ablation/places.ts";
export type { CommandEnd, RunCommand } from "./ablation/work.ts";
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
export type { TrainableStudent } from "./diagnosis/biased-student.ts";
export { compareWithChoice, type EarlierChoice, readChoice } from "./diagnosis/choice.ts";
export { diagnoseModels, type ModelDiagnosisOptions, scoringModels } from "./diagnosis/diagnose-models.ts";
export type { Choice, DiagnosisFile } from "./diagnosis/file.ts";
export { forcedCalls } from "./diagnosis/forced-calls.ts";
export type { DiagnosedModels } from "./diagnosis/score-charts.ts";
export type { StudySubject } from "./subject.ts";

// Input-attribution policy optimization: GRPO with a teacher's attribution in the reward, its schedules, baselines and case study.
export { type Baseline, type BaselineParts, createBaseline } from "./baselines/baseline.ts";
export {
  createLlmVerifier,
  type LlmVerdict,
  type LlmVerifierOptions,
} from "./baselines/llm-verifier.ts";
export { type TorlRewards, torlReward } from "./baselines/torl.ts";
export {
  recordedVerifier,
  ruleVerifier,
  type TrmRewards,
  trmReward,
  turnLevelAdvantages,
  type Verifier,
} from "./baselines/trm.ts";
export {
  type CaseStudy,
  type CaseStudyOptions,
  type CaseStudyParts,
  caseStudy,
  caseStudyMetrics,
  caseStudyVersion,
} from "./case-study/case-study.ts";
export type { DefinitionScores, Mean } from "./case-study/definitions.ts";
export {
  type DiagnosedCell,
  type DiagnosedState,
  type DiagnoseOptions,
  type Diagnosis,
  diagnose,
  diagnosisVersion,
  type Fault,
  isCheaper,
  labelOf,
  type Separation,
} from "./diagnose/diagnose.ts";
export {
  type CallKind,
  type ChartByModel,
  type ChartScores,
  type DiagnoseChart,
  type DiagnoseModels,
  type Explained,
  type ExplainOptions,
  explainCharts,
  type ModelScores,
} from "./diagnose/explain.ts";
export {
  type AttributionCell,
  type CellSettings,
  type DiagnoseGrid,
  defaultGrid,
  type LogProbPenalty,
  methodLabel,
} from "./diagnose/grid.ts";
export { diagnosisSvg } from "./diagnose/picture.ts";
export { type Estimate, pairedAuc, pooledAuc } from "./diagnose/statistics.ts";
export { diagnosisTable } from "./diagnose/table.ts";
export {
  type DistillationOptions,
  type DistillationParts,
  distillationRecipe,
  distillationReplay,
} from "./distillation/recipe.ts";
export { IapoError, type IapoErrorCode } from "./error.ts";
export { blockMasses, callDivergence } from "./penalty/divergence.ts";
export { lambdaAt } from "./penalty/lambda.ts";
export { noCallDivergence } from "./penalty/no-call.ts";
export { iapoAdvantage } from "./recipe/advantage.ts";
export {
  type ExplainElsewhere,
  type Explained as ExplainedGroup,
  type Explainer,
  type Explanation,
  explainGroups,
} from "./recipe/compare.ts";
export {
  blockNames,
  type ComparedScores,
  comparedScores,
  type PenaltyEvidence,
  penaltyEvidence,
  recomputeDivergence,
} from "./recipe/evidence.ts";
export { faultAuc, type JudgedCall } from "./recipe/fault-auc.ts";
export { type IapoOptions, type IapoParts, iapoRecipe } from "./recipe/iapo.ts";
export { iapoMetrics, type LoggedStep } from "./recipe/metrics.ts";
export { iapoReplay } from "./recipe/replay.ts";
export type { AttributionModel, Call } from "./scoring/model.ts";
export { type CallGroup, scoreCalls, scoreGroups } from "./scoring/score.ts";
export { blockMethod, partitionOptions } from "./scoring/settings.ts";
export { type CallTarget, findCall } from "./scoring/span.ts";
export { kindOfUnit, promptUnits } from "./scoring/units.ts";
export { CallCache, type ScoredCall } from "./teacher/call-cache.ts";
export type { Teacher, TeacherWriter, WritingTeacher } from "./teacher/teacher.ts";
export { type TeacherCallOptions, TeacherCalls } from "./teacher/teacher-calls.ts";

/** Chart and table question answering tasks: loaders, renderers with exact boxes, nano-charts, scoring, and a two-turn environment. */
export {
  createEnvironment,
  type EarlierTurn,
  type Environment,
  type EnvironmentSetup,
  type StepResult,
  type TurnInput,
  type WrittenTurn,
} from "./environment/environment.ts";
export { type EnvironmentOptions, type EnvironmentPreset, environmentPresets } from "./environment/options.ts";
export { namesInQuestion, type RewardParts, rewardParts } from "./environment/rewards.ts";
export { VqaTasksError, type VqaTasksErrorCode } from "./error.ts";
export { parseDelimited, type TableDialect } from "./loaders/csv.ts";
export { type DataFile, type HubOptions, hubFiles, localFiles } from "./loaders/files.ts";
export { type DataFormat, dataFormats } from "./loaders/formats.ts";
export {
  type BadRow,
  type LoadOptions,
  type LoadReport,
  type LoadStream,
  loadRecords,
  loadTasks,
  MOST_BAD_ROWS,
} from "./loaders/load.ts";
export { type PictureFolders, withPicture } from "./loaders/pictures.ts";
export type { PictureSource, TaskRecord } from "./loaders/record.ts";
export { createNanoCharts, type NanoChart, type NanoCharts } from "./nano/charts.ts";
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
} from "./nano/demonstrations.ts";
export {
  cleanQuality,
  type DemonstrationQuality,
  defaultNanoChartOptions,
  type NanoChartOptions,
} from "./nano/options.ts";
export type { Bar, NanoQuestion, QuestionKind } from "./nano/questions.ts";
export { type NanoSplit, nanoSplits } from "./nano/tables.ts";
export { type BarChart, nameFits, renderBarChart } from "./render/bar-chart.ts";
export { type FontWeight, isDrawable, textWidth } from "./render/font.ts";
export type { Picture } from "./render/picture.ts";
export { loadRasterizer, type Rasterizer } from "./render/rasterizer.ts";
export { type BarChartStyle, barChartStyles, type TableStyle, tableStyles } from "./render/styles.ts";
export { defaultTableOptions, renderTable, type Table, type TableOptions } from "./render/table.ts";
export {
  type ChatClient,
  type ChatMessage,
  type ChatOptions,
  type ChatRequest,
  createChatClient,
  defaultChatOptions,
} from "./scoring/chat.ts";
export { type AnswerExtraction, extractAnswer } from "./scoring/extract.ts";
export {
  createJudge,
  defaultJudgeOptions,
  type Judge,
  type JudgeOptions,
  type JudgeQuestion,
  type JudgeVerdict,
} from "./scoring/judge.ts";
export type { VerdictReading } from "./scoring/judge-verdict.ts";
export { exactScore, relaxedScore } from "./scoring/relaxed.ts";
export {
  createScorer,
  defaultScoringOptions,
  type Score,
  type Scorer,
  type Scoring,
  type ScoringOptions,
  scoringPresets,
} from "./scoring/score.ts";
export { similarity, similarityV1 } from "./scoring/similarity.ts";
export { openVerdicts, type VerdictFile } from "./scoring/verdicts.ts";
export { checkTask } from "./task.ts";

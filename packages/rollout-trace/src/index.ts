// The plain types and schemas of an episode: write, read, verify and replay what a rollout did.
export { contentWithImages, imagesOfContent, storedContent } from "./content.ts";
export type { Environment, Rewards, StepResult } from "./environment.ts";
export { TraceError, type TraceErrorCode } from "./error.ts";
export {
  type Image,
  type ImageRef,
  identifyImage,
  imageRef,
  imageRefSchema,
  imageSchema,
  isRawImage,
  type RawImage,
  toRgb,
} from "./image.ts";
export { traceJsonSchema } from "./json-schema.ts";
export type { Interruptible, Policy, RefusedInput, Scribe, Session } from "./policy.ts";
export { problemOf } from "./problem.ts";
export { type ImageBlock, type PromptBlock, promptBlockSchema, type TextBlock, type TextBlockKind } from "./prompt.ts";
export {
  type ReplayComparison,
  type ReplayDifference,
  type ReplayedSample,
  type ReplayedUpdate,
  type ReplayFunctions,
  type ReplayReport,
  replayStep,
} from "./replay.ts";
export { joinSampledTokens, type SampledBatch, type SampledTokens, sampledTokens } from "./sampled.ts";
export type {
  FailedEpisode,
  SampleKey,
  SampleLog,
  Step,
  StepLog,
  TurnAdvantage,
  UpdateLog,
  UpdateSample,
} from "./step.ts";
export { type Task, taskSchema } from "./task.ts";
export { type ToolOutcome, type ToolReason, type ToolStatus, toolOutcomeSchema } from "./tool-outcome.ts";
export { type Trace, traceSchema, traceVersion } from "./trace.ts";
export type {
  EarlierTurn,
  Sampling,
  Seed,
  Trajectory,
  Truncation,
  Turn,
  TurnInput,
  TurnRequest,
} from "./turn.ts";
export { type RenderedTurn, type TraceDifference, type TurnRenderer, verifyTrace } from "./verify.ts";

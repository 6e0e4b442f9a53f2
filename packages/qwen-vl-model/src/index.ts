// Qwen2.5-VL and Qwen3-VL on WebGPU: weights, forward, backward, generation, LoRA and export.
// @module
export { DifferentiablePolicy, type TargetedTurn } from "./attribution/calls.ts";
export {
  type DifferentiableOptions,
  DifferentiableQwenVL,
  type EmbeddedGroup,
  type GroupStates,
} from "./attribution/differentiable.ts";
export { QwenVLError, type QwenVLErrorCode } from "./error.ts";
export { bannedIdsOf } from "./generation/banned.ts";
export type { GeneratedTurn, GenerateRequest, TokenSampling } from "./generation/request.ts";
export { Session } from "./generation/session.ts";
export type { FinishReason, StopRules } from "./generation/stop.ts";
export {
  type DownloadProgress,
  type PushedModel,
  type PushModelOptions,
  pushModel,
  type ResolveModelOptions,
  resolveModel,
} from "./hub/index.ts";
export { Adapter, type AdapterOptions, type AdapterPair, TEXT_PROJECTIONS } from "./lora/adapter.ts";
export { mergedWeights } from "./lora/merge.ts";
export { loadAdapter, saveAdapter } from "./lora/peft.ts";
export type { LoraTargets } from "./lora/targets.ts";
export { encodeContinuation, encodeConversation, type Message } from "./model/encode.ts";
export { QwenVLModel, type UploadedBatch } from "./model/model.ts";
export {
  type EncodedImage,
  type PackedBatch,
  type PromptGroup,
  packGroups,
  type ResponseSequence,
  type Sequence,
} from "./model/pack.ts";
export { joinSequences, turnSequence } from "./model/response.ts";
export type { TextForwardOptions } from "./model/text.ts";
export { type Workload, workloadGroup } from "./plan/workload.ts";
export { compareDistributions, type DistributionComparison } from "./policy/distributions.ts";
export { ImageStore } from "./policy/image-store.ts";
export { type LoadPolicyOptions, modelDirectory } from "./policy/load.ts";
export { type PolicyOptions, QwenVLPolicy, type ScorableTraces } from "./policy/policy.ts";
export { createScribe } from "./policy/scribe.ts";
export type { PolicySession } from "./policy/session.ts";
export { type GenerateOptions, type LoadModelOptions, loadModel, QwenVL } from "./qwen-vl.ts";
export { type ExportOptions, exportModel } from "./weights/export.ts";
export { type InitializeOptions, initializeWeights } from "./weights/initialize.ts";
export { checkWeights, type LoadProgress, type LoadWeightsOptions, loadWeights } from "./weights/load.ts";
export { type ExportCheck, verifyExport } from "./weights/verify-export.ts";
export { type RunDType, refreshRunCopy, type TrainableWeight, type Weight, Weights } from "./weights/weights.ts";

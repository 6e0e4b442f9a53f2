// Which input tokens and prompt blocks a generated span rests on.
// @module
export { attributeBlocks, attributeGroups, attributeTokens, type PartitionedInput } from "./attribute.ts";
export { type Baseline, type BatchBaseline, isBatchBaseline } from "./baseline.ts";
export { type FaithfulnessCurve, type FaithfulnessOptions, faithfulness } from "./faithfulness.ts";
export { type AttributionJson, attributionToJson, attributionVersion } from "./json.ts";
export * from "./math/index.ts";
export type {
  BlockAttribution,
  BlockMethod,
  Convergence,
  GradientNorm,
  GradientTimesEmbedding,
  IntegratedGradients,
  Occlusion,
  TokenAttribution,
  TokenMethod,
} from "./methods.ts";
export type { DifferentiableModel, Embedded, PromptStates, Variant } from "./model.ts";
export {
  type AttributionPlan,
  type AttributionRows,
  type AttributionWorkload,
  attributionRows,
  firstTokensOf,
  type ModelBytes,
  planAttribution,
  teacherWays,
  unsharedRows,
} from "./plan.ts";
export { randomizedWeightsCheck } from "./randomized-weights.ts";

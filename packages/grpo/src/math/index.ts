/** Advantages and losses on Float64Array, with gradients: the reference of every GPU path. Imports no GPU code. */
export { GrpoError, type GrpoErrorCode } from "../error.ts";
export {
  type AdvantageScale,
  countGroups,
  type DecoupledOptions,
  decoupledAdvantages,
  type GroupAdvantageOptions,
  type GroupCount,
  groupAdvantages,
  informativeGroups,
  leaveOneOutAdvantages,
  type RewardPart,
} from "./advantages.ts";
export { type Aggregation, aggregationWeights, batchCounts } from "./aggregation.ts";
export { type Numbers, spreadOverTokens, type TokenBatch, type TokenTerms, turnMask } from "./batch.ts";
export {
  type ImportanceOptions,
  importanceWeights,
  offPolicyWeights,
  type Rejection,
  rejectionMask,
} from "./importance.ts";
export { type KlEstimator, klTerms, ratioWeightedKl } from "./kl.ts";
export { type RatioMetrics, ratioMetrics } from "./metrics.ts";
export {
  computeLoss,
  type KlOptions,
  type LossInputs,
  type LossKind,
  type LossOptions,
  lossPresets,
} from "./options.ts";
export { type PolicyLoss, type PolicyLossParts, policyLoss } from "./policy-loss.ts";
export { logRatios } from "./ratios.ts";
export { type OverlongOptions, overlongPenalty, penalizeKl } from "./shaping.ts";
export {
  type ClippedOptions,
  type ClipRange,
  cispoTerms,
  clippedTerms,
  geometricMeanTerms,
  gspoTerms,
  type SapoOptions,
  sapoTerms,
  type VespoOptions,
  vespoDefaults,
  vespoTerms,
} from "./surrogates.ts";

// Advantages and losses on Float64Array, with gradients: the reference of every GPU path. Imports no GPU code.
export { GrpoError, type GrpoErrorCode } from "../error.ts";
export { type KlEstimator, type KlOptions, klEstimators } from "../losses/kl.ts";
export { type LossKind, type LossOptions, lossDefinition, lossKinds, lossPreset } from "../losses/registry.ts";
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
export { type Aggregation, aggregationOf, aggregationWeights, type BatchCounts, batchCounts } from "./aggregation.ts";
export { type Numbers, spreadOverTokens, type TokenBatch, type TokenTerms, turnMask } from "./batch.ts";
export { computeLoss, type LossInputs } from "./compute-loss.ts";
export {
  countedDifference,
  type Divergence,
  distilledAdvantages,
  logitDivergence,
  topDivergence,
} from "./distillation.ts";
export {
  type ImportanceOptions,
  importanceWeights,
  offPolicyWeights,
  type Rejection,
  rejectionMask,
} from "./importance.ts";
export { klTerms, ratioWeightedKl } from "./kl.ts";
export { type RatioMetrics, ratioMetrics } from "./metrics.ts";
export { type PolicyLoss, type PolicyLossParts, policyLoss } from "./policy-loss.ts";
export { logRatios } from "./ratios.ts";
export { type OverlongOptions, overlongPenalty, penalizeKl } from "./shaping.ts";
export { type ClipRange, geometricMeanTerms, type VespoOptions, vespoDefaults, vespoTerms } from "./surrogates.ts";
export { type Term, type TokenInputs, tokenTerms } from "./terms.ts";
export { type Tolerance, toleratedPenalties } from "./tolerance.ts";

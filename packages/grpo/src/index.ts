// Group-relative policy optimization: group rollouts, advantages, losses, packed update steps, checkpoints.
export { listCheckpoints } from "./checkpoint/checkpoints.ts";
export type { LossDistillation, TokenDistillation } from "./distillation/settings.ts";
export { GrpoError, type GrpoErrorCode } from "./error.ts";
export type { LossTensors, TensorLoss } from "./losses/define.ts";
export type { TensorOps } from "./losses/tensor-ops.ts";
export type { Alarm, AlarmName } from "./metrics/alarms.ts";
export type { Metrics } from "./metrics/rollout-metrics.ts";
export type { Parameter, PredictingRows, ScorableTraces, Scorer, TrainablePolicy } from "./policy.ts";
export type { Failure, FailurePolicy, RolloutOptions, RolloutPlace } from "./rollout/options.ts";
export { type Rollout, rollout } from "./rollout/rollout.ts";
export { withTurnRewards } from "./rollout/turn-rewards.ts";
export { rolloutAt } from "./run/collect.ts";
export { type EvaluateOptions, evaluatePolicy } from "./run/evaluate.ts";
export { type GrpoParts, grpoRecipe } from "./run/grpo.ts";
export { loadExport, loadFunction } from "./run/module.ts";
export type { GrpoOptions } from "./run/options.ts";
export { failureOfPart } from "./run/out-of-memory.ts";
export { ownPenalty } from "./run/own-penalty.ts";
export { withOwnReward } from "./run/own-reward.ts";
export { type LongPrompt, limitPrompts, longPrompts, type PromptLimit } from "./run/prompt-limit.ts";
export type { Place, Recipe, RecipeStep } from "./run/recipe.ts";
export { type ReplayParts, replayFunctions } from "./run/replay.ts";
export {
  type AdvantageFunction,
  advantageFunction,
  advantagesBy,
  type OwnPenaltyFunction,
  type Penalty,
  type PenaltyFunction,
  type RewardFunction,
  type ShapedSample,
  type TurnAdvantageFunction,
} from "./run/shaping.ts";
export { loadCheckpoint, type RunState, readRunState } from "./run/state.ts";
export {
  examplesPiece,
  type SupervisedOptions,
  type SupervisedParts,
  supervisedRecipe,
  supervisedStep,
  transcribeEpisode,
} from "./run/supervised.ts";
export { TaskOrder, type TaskSource } from "./run/task-source.ts";
export { type TrainOptions, train } from "./run/train.ts";
export { traceRenderer } from "./run/verify.ts";
export { recordedScorers } from "./scorers/recorded.ts";
export { firstPrompt, type TokenScorerOptions, tokenScorer, writtenTokens } from "./scorers/token-scorer.ts";
export type { ScoreRequest, Scorers, ScoringModel, ScoringTeacher, TokenScorer } from "./scorers/types.ts";
export { computePieces, type Piece, type PieceOutputs, sumGradients } from "./update/gradients.ts";
export { Learner, type LearnerOptions, type StepOutcome } from "./update/learner.ts";
export { learnerOptions } from "./update/learner-options.ts";
export { type LossConstants, uploadConstants } from "./update/loss-constants.ts";
export { scoreTraces } from "./update/score.ts";
export { splitByRows } from "./update/split.ts";
export { tensorLoss } from "./update/tensor-loss.ts";
export type { ScoredGroup, ScoredTrace } from "./update/tokens.ts";
export { type MiniBatch, policyPiece, prepareMiniBatch, type UpdateOptions, updatePolicy } from "./update/update.ts";
export type {
  ComputedOutputs,
  ComputedPieces,
  GradientPart,
  PieceShare,
  RolloutRequest,
  Workforce,
} from "./workforce.ts";

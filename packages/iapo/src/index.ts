/** Input-attribution policy optimization: GRPO with a teacher's attribution in the reward, its schedules, baselines and case study. */

export { type Baseline, type BaselineParts, createBaseline } from "./baselines/baseline.ts";
export {
  createLlmVerifier,
  type LlmVerdict,
  type LlmVerifierOptions,
  type VerifierMessage,
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
export { IapoError, type IapoErrorCode } from "./error.ts";
export type { AttributionModel, Call } from "./scoring/model.ts";
export { scoreCalls } from "./scoring/score.ts";
export { type CallTarget, findCall } from "./scoring/span.ts";
export { kindOfUnit, promptUnits } from "./scoring/units.ts";

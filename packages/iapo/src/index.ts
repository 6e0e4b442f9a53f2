/** Input-attribution policy optimization: GRPO with a teacher's attribution in the reward, its schedules, baselines and case study. */

export { IapoError, type IapoErrorCode } from "./error.ts";
export type { AttributionModel, Call } from "./scoring/model.ts";
export { scoreCalls } from "./scoring/score.ts";
export { type CallTarget, findCall } from "./scoring/span.ts";
export { kindOfUnit, promptUnits } from "./scoring/units.ts";

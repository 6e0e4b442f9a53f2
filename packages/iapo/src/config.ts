// Strict schemas of what a configuration file may set here. A key may be left out; the default stands in. Imports no GPU code.
export {
  type BaselineOptions,
  baselineOptionsSchema,
  type TorlOptions,
  type TrmOptions,
} from "./baselines/config.ts";
export { writesCalls } from "./config/compare.ts";
export type { IapoPreset } from "./config/presets.ts";
export { iapoPresets, iapoSettingsSchema } from "./config/settings.ts";
export type { CompareSettings, IapoSettings, LambdaSchedule, NoCallPenalty, PenaltySettings } from "./config/types.ts";
export { type Distillation, distillationSchema, type SequenceDistillation } from "./distillation/settings.ts";

// Strict schemas of what a configuration file may set here. A key may be left out; the default stands in. Imports no GPU code.
export type { AdvantageOptions } from "./advantages/registry.ts";
export {
  advantageOptionsSchema,
  type DynamicSamplingOptions,
  dynamicSamplingSchema,
  lossOptionsSchema,
} from "./config/loss.ts";
export {
  type ConfigurationFacts,
  type ConfigurationProblem,
  type ConfigurationProblems,
  configurationProblems,
  optimizerProblems,
} from "./config/problems.ts";
export { grpoSettingsSchema, optimizerSettingsSchema, rolloutSettingsSchema } from "./config/run.ts";
export type { GrpoSettings, OptimizerSettings, RolloutSettings } from "./config/settings.ts";
export { toleranceSchema } from "./config/tolerance.ts";

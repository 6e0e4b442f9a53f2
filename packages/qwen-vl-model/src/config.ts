// The configuration files of a checkpoint and the tensors that follow from them. No GPU code.
// @module
export { type GenerationConfig, loadGenerationConfig, parseGenerationConfig } from "./config/generation-config.ts";
export { loadConfig, parseConfig, writeConfig } from "./config/model-config.ts";
export {
  type LoraSettings,
  type ModelSettings,
  type ModelSource,
  modelSchema,
  modelSourceSchema,
} from "./config/model-settings.ts";
export {
  loadPreprocessorConfig,
  type PreprocessorConfig,
  parsePreprocessorConfig,
} from "./config/preprocessor-config.ts";
export { matchTensors, publishedName, tensorTable } from "./config/tensor-table.ts";
export type { QwenVLConfig, SpecialTokens, TensorSpec, TextConfig, VisionConfig } from "./config/types.ts";
export { QwenVLError, type QwenVLErrorCode } from "./error.ts";
export type { Family } from "./families/family.ts";
export { families, type KnownConfigName, knownConfigs } from "./families/registry.ts";

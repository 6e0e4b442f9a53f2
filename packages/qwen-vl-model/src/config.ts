// The configuration files of a Qwen2.5-VL checkpoint and the tensors that follow from them. No GPU code.
// @module
export { type GenerationConfig, loadGenerationConfig, parseGenerationConfig } from "./config/generation-config.ts";
export { type KnownConfigName, knownConfigs } from "./config/known-configs.ts";
export {
  loadConfig,
  parseConfig,
  type QwenVLConfig,
  type SpecialTokens,
  type TextConfig,
  type VisionConfig,
  writeConfig,
} from "./config/model-config.ts";
export {
  type LoraSettings,
  type ModelSettings,
  type ModelSource,
  modelSchema,
  modelSourceSchema,
} from "./config/model-settings.ts";
export {
  DEFAULT_MAX_PIXELS,
  DEFAULT_MIN_PIXELS,
  loadPreprocessorConfig,
  type PreprocessorConfig,
  parsePreprocessorConfig,
} from "./config/preprocessor-config.ts";
export { matchTensors, publishedName, type TensorSpec, tensorTable } from "./config/tensor-table.ts";
export { QwenVLError, type QwenVLErrorCode } from "./error.ts";

// Images and conversations made ready for the model: no GPU code.
// @module
export { QwenVLError, type QwenVLErrorCode } from "../error.ts";
export {
  ChatTemplate,
  type RenderOptions,
  type TemplateMessage,
  type TemplateTokens,
} from "./chat-template.ts";
export { type ImagePatches, processImage, resizeForModel } from "./image.ts";
export { type LoadProcessorOptions, loadProcessor } from "./load.ts";
export type { ChatBlock, ChatMessage } from "./messages.ts";
export { type RopePositions, ropePositions } from "./positions.ts";
export { type EncodedChat, Processor, type ProcessorParts } from "./processor.ts";
export { type RotaryTables, textRotaryTables, visionRotaryTables } from "./rotary.ts";
export { type ImageGrid, type ImageSize, imageGrid, imageTokenCount, smartResize } from "./smart-resize.ts";
export { Tokenizer } from "./tokenizer.ts";

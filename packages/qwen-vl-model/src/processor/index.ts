/**
 * Images and conversations made ready for Qwen2.5-VL: no GPU code.
 * @module
 */
import type { RawImage } from "@iapo/rollout-trace";

export { QwenVLError, type QwenVLErrorCode } from "../error.ts";
export type { ChatBlock, ChatMessage } from "./blocks.ts";
export { ChatTemplate, DEFAULT_CHAT_TEMPLATE, type RenderOptions, type TemplateMessage } from "./chat-template.ts";
export { type ImagePatches, processImage, resizeForModel } from "./image.ts";
export { type LoadProcessorOptions, loadProcessor } from "./load.ts";
export { type RopePositions, ropePositions } from "./positions.ts";
export { type EncodedChat, Processor, type ProcessorParts } from "./processor.ts";
export { type RotaryTables, textRotaryTables, visionRotaryTables } from "./rotary.ts";
export { type ImageGrid, type ImageSize, imageGrid, imageTokenCount, smartResize } from "./smart-resize.ts";
export { Tokenizer } from "./tokenizer.ts";
export { type VisionLayout, visionLayout } from "./vision-layout.ts";

/**
 * Decodes a PNG, JPEG or WebP file, given by path or content, to 8-bit RGB: turned upright by its EXIF orientation, 16-bit samples scaled,
 * transparency laid on white. Loads the native `sharp` when first called.
 * @throws QwenVLError `image`.
 */
export async function readImage(file: string | Uint8Array): Promise<RawImage> {
  const { decodeImage } = await import("./image-file.ts");
  return decodeImage(file);
}

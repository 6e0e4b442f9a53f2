// Ids that must not be sampled.
import type { QwenVLConfig } from "../config/types.ts";

/** Image and video placeholders, which would ask for images that are not there, and the embedding's padding rows behind the tokenizer's ids. */
export function bannedIdsOf(config: QwenVLConfig, tokenizerSize: number): number[] {
  const { image, video } = config.tokens;
  const padding = Array.from(
    { length: Math.max(0, config.text.vocabSize - tokenizerSize) },
    (_, i) => tokenizerSize + i,
  );
  return [image, video, ...padding];
}

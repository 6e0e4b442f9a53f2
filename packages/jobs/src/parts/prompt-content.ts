// Prompt blocks as the content of a chat message.
import type { PromptBlock, RawImage } from "@iapo/rollout-trace";

export function blockContent(block: PromptBlock): { readonly text: string } | { readonly image: RawImage } {
  return "text" in block ? { text: block.text } : { image: block.image };
}

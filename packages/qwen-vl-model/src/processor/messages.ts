// Conversations as callers give them, and the check of what they are.
import { QwenVLError } from "../error.ts";
import type { ImageSize } from "./smart-resize.ts";

/** A piece of text or one image; a `PromptBlock` of rollout-trace is one. */
export type ChatBlock = { readonly text: string } | { readonly image: ImageSize };

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  /** A text stands for one block. */
  readonly content: string | readonly ChatBlock[];
}

/** A message whose content is a list. */
export interface BlockMessage extends ChatMessage {
  readonly content: readonly ChatBlock[];
}

const roles: ReadonlySet<unknown> = new Set(["system", "user", "assistant"]);

/**
 * The messages with lists for contents.
 * @throws QwenVLError `prompt` for what is no message, naming its place and what is expected; `video`.
 */
export function checkMessages(messages: readonly ChatMessage[]): BlockMessage[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw fault("messages", "expected a list of at least one message");
  return messages.map((message: ChatMessage, i) => {
    const at = `messages[${i}]`;
    if (!roles.has(message?.role)) throw fault(`${at}.role`, "expected system, user or assistant");
    const { role, content } = message;
    if (typeof content === "string") return { role, content: [{ text: content }] };
    if (!Array.isArray(content)) throw fault(`${at}.content`, "expected a text or a list of { text } and { image }");
    return { role, content: content.map((block: unknown, k) => checkBlock(block, `${at}.content[${k}]`)) };
  });
}

function checkBlock(block: unknown, at: string): ChatBlock {
  const { text, image, ...other } = (typeof block === "object" && block !== null ? block : {}) as Record<
    string,
    unknown
  >;
  if ("video" in other) throw new QwenVLError("video", `${at}: a conversation holds a video: video is not supported`);
  if (typeof text === "string" && image === undefined) return { text };
  const size = image as Partial<ImageSize> | undefined;
  if (text === undefined && typeof size?.width === "number" && typeof size.height === "number") {
    return { image: image as ImageSize };
  }
  const advice =
    image !== undefined || "image_url" in other ? "; readImage of @iapo/visual-tools/sharp reads files and bytes" : "";
  throw fault(at, `expected { text } or { image: raw pixels }, got ${nameOf(block)}${advice}`);
}

function nameOf(block: unknown): string {
  if (typeof block !== "object" || block === null) return typeof block;
  return `{ ${Object.entries(block)
    .map(([key, value]) => `${key}: ${typeof value}`)
    .join(", ")} }`;
}

function fault(at: string, message: string): QwenVLError {
  return new QwenVLError("prompt", `${at}: ${message}`);
}

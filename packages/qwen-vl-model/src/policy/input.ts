// What a turn starts from, as tokens: a prompt of its own, or an observation behind the turn before.
import type { Image, PromptBlock } from "@iapo/rollout-trace";
import type { Sequence } from "../model/pack.ts";
import type { EncodedChat, Processor } from "../processor/processor.ts";
import type { ImageStore } from "./image-store.ts";

/** The user message of a turn, and where a prompt has one, a closed assistant message behind it. */
export interface PromptInput {
  readonly blocks: readonly PromptBlock[];
  readonly assistant?: readonly PromptBlock[] | undefined;
}

/** `blocks` of the encoding count in the order of the input: user message, then assistant message. */
export type EncodedInput = EncodedChat &
  Sequence & { readonly sources: readonly Image[]; readonly patches: readonly string[] };

/** @throws QwenVLError as `Processor.encodeChat` */
export function encodePrompt(processor: Processor, store: ImageStore, input: PromptInput): EncodedInput {
  return withImages(processor.encodeChat(messagesOf(input)), store, input);
}

/** @throws QwenVLError as `Processor.encodeTurn` */
export function encodeObservation(
  processor: Processor,
  store: ImageStore,
  input: PromptInput,
  after: Parameters<Processor["encodeTurn"]>[1],
): EncodedInput {
  return withImages(processor.encodeTurn(messagesOf(input), after), store, input);
}

function messagesOf({ blocks, assistant }: PromptInput) {
  const user = { role: "user", content: blocks } as const;
  return assistant ? [user, { role: "assistant", content: assistant } as const] : [user];
}

function withImages(chat: EncodedChat, store: ImageStore, { blocks, assistant = [] }: PromptInput): EncodedInput {
  const sources = [...blocks, ...assistant].flatMap((block) => (block.kind === "image" ? [block.image] : []));
  const images = sources.map((image) => store.get(image));
  return { ...chat, images, sources, patches: images.map(({ patchesId }) => patchesId) };
}

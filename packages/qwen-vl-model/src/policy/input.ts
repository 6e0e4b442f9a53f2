// What a turn starts from, as tokens: a prompt of its own, or an observation behind the turn before.
import type { Image, TurnInput } from "@iapo/rollout-trace";
import type { Sequence } from "../model/pack.ts";
import type { EncodedChat, Processor } from "../processor/processor.ts";
import type { ImageStore } from "./image-store.ts";

/** `blocks` of the encoding count in the order of the input: user message, then assistant message. */
export type EncodedInput = EncodedChat &
  Sequence & { readonly sources: readonly Image[]; readonly patches: readonly string[] };

/** @throws QwenVLError as `Processor.encodeChat` */
export function encodePrompt(processor: Processor, store: ImageStore, input: TurnInput): EncodedInput {
  return withImages(processor.encodeChat(messagesOf(input)), store, input);
}

/** Tokens of a prompt, counted from the sizes of its pictures. @throws QwenVLError as `Processor.encodeChat` */
export function countTokens(processor: Processor, input: TurnInput): number {
  return processor.encodeChat(messagesOf(input)).tokens.length;
}

/** @throws QwenVLError as `Processor.encodeTurn` */
export function encodeObservation(
  processor: Processor,
  store: ImageStore,
  input: TurnInput,
  after: Parameters<Processor["encodeTurn"]>[1],
): EncodedInput {
  return withImages(processor.encodeTurn(messagesOf(input), after), store, input);
}

function messagesOf({ blocks, assistant }: TurnInput) {
  const user = { role: "user", content: blocks } as const;
  return assistant ? [user, { role: "assistant", content: assistant } as const] : [user];
}

function withImages(chat: EncodedChat, store: ImageStore, { blocks, assistant = [] }: TurnInput): EncodedInput {
  const sources = [...blocks, ...assistant].flatMap((block) => (block.kind === "image" ? [block.image] : []));
  const images = sources.map((image) => store.get(image));
  return { ...chat, images, sources, patches: images.map(({ patchesId }) => patchesId) };
}

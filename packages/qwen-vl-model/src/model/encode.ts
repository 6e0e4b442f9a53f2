// From a conversation to a sequence that the model takes: tokens and positions by the processor, images as patches with their names.
import { identifyImage, type RawImage } from "@iapo/rollout-trace";
import { checkImage } from "../processor/image.ts";
import { type ChatMessage, checkMessages } from "../processor/messages.ts";
import type { EncodedChat, Processor } from "../processor/processor.ts";
import type { EncodedImage, Sequence } from "./pack.ts";

/** A message whose images are pixels. */
export interface Message extends ChatMessage {
  readonly content: string | readonly ({ readonly text: string } | { readonly image: RawImage })[];
}

/** A conversation with the assistant's turn opened, ready for a `Session`. Throws QwenVLError as `encodeChat`. */
export async function encodeConversation(
  processor: Processor,
  messages: readonly Message[],
): Promise<EncodedChat & Sequence> {
  return { ...processor.encodeChat(messages), images: await encodeImages(processor, messages) };
}

/** Messages that follow a sampled turn. `after` as in `encodeTurn`. Throws QwenVLError as `encodeTurn`. */
export async function encodeContinuation(
  processor: Processor,
  messages: readonly Message[],
  after: Parameters<Processor["encodeTurn"]>[1],
): Promise<EncodedChat & Sequence> {
  return { ...processor.encodeTurn(messages, after), images: await encodeImages(processor, messages) };
}

/** Patches of all images in order; equal pixels get equal names, and are processed once. */
async function encodeImages(processor: Processor, messages: readonly Message[]): Promise<EncodedImage[]> {
  const known = new Map<string, EncodedImage>();
  const images: EncodedImage[] = [];
  for (const part of checkMessages(messages).flatMap(({ content }) => content)) {
    if (!("image" in part)) continue;
    const image = checkImage(part.image);
    const { id } = await identifyImage(image);
    const encoded = known.get(id) ?? { id, ...processor.processImage(image) };
    known.set(id, encoded);
    images.push(encoded);
  }
  return images;
}

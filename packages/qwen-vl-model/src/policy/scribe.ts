// Turns made without sampling, and without a model: all they need is its processor, so a trace is verified without a GPU.
import type { Scribe } from "@iapo/rollout-trace";
import { bannedIdsOf } from "../generation/banned.ts";
import type { Processor } from "../processor/processor.ts";
import { ImageStore } from "./image-store.ts";
import { renderTurn, transcribe } from "./transcribe.ts";

/** What a `QwenVLPolicy` with this processor makes of given texts and ids. Its methods throw a QwenVLError as {@link transcribe} and {@link renderTurn} do. */
export function createScribe(processor: Processor): Scribe {
  const bannedIds = bannedIdsOf(processor.config, processor.tokenizer.size);
  const parts = { processor, images: new ImageStore(processor), bannedIds };
  return {
    transcribe: (input, text, before) => transcribe(parts, input, text, before),
    render: (input, ids, before) => renderTurn(parts, input, ids, before),
  };
}

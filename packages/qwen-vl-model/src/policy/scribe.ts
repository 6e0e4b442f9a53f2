// Turns made without sampling, and without a model: all they need is its processor, so a trace is verified without a GPU.
import type { Turn } from "@iapo/rollout-trace";
import { bannedIdsOf } from "../generation/banned.ts";
import type { Processor } from "../processor/processor.ts";
import { ImageStore } from "./image-store.ts";
import type { PromptInput } from "./input.ts";
import { renderTurn, transcribe } from "./transcribe.ts";

export interface Scribe {
  /** As if the policy had written this text. @throws QwenVLError */
  transcribe(input: PromptInput, text: string, before?: Turn): Turn;
  /** In which the policy wrote these ids. @throws QwenVLError */
  render(input: PromptInput, ids: Int32Array, before?: Turn): Turn;
}

/** What a `QwenVLPolicy` with this processor makes of given texts and ids. */
export function createScribe(processor: Processor): Scribe {
  const bannedIds = bannedIdsOf(processor.config, processor.tokenizer.size);
  const parts = { processor, images: new ImageStore(processor), bannedIds };
  return {
    transcribe: (input, text, before) => transcribe(parts, input, text, before),
    render: (input, ids, before) => renderTurn(parts, input, ids, before),
  };
}

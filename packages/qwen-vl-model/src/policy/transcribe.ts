// Given texts as turns, as if the policy had written them: what supervised steps learn from.
import type { Turn } from "@iapo/rollout-trace";
import { QwenVLError } from "../error.ts";
import { turnSequence } from "../model/response.ts";
import { encodeObservation, encodePrompt, type PromptInput } from "./input.ts";
import type { SessionParts } from "./session.ts";
import { writtenTurn } from "./turn.ts";

/**
 * The turn of a text, its end token included. `before` is the turn that it goes on from; without one the input is a prompt of its own. Its
 * log-probs are 0: nothing was sampled. @throws QwenVLError as `Processor.encodeChat`; `prompt` for a text that holds special tokens
 */
export function transcribe(parts: SessionParts, input: PromptInput, text: string, before: Turn | undefined): Turn {
  const { processor, images, bannedIds } = parts;
  const { tokenizer, config } = processor;
  const encoded = before
    ? encodeObservation(processor, images, input, { position: positionAfter(before) })
    : encodePrompt(processor, images, input);
  const written = tokenizer.encode(tokenizer.normalize(text));
  const special = new Set(tokenizer.specialTokens.values());
  if (written.some((token) => special.has(token))) {
    throw new QwenVLError("prompt", "a text that is to be learnt holds special tokens; remove them");
  }
  const tokens = Int32Array.of(...written, config.tokens.eos[0]!);
  const sequence = turnSequence({ tokens, nextPosition: encoded.nextPosition + tokens.length });
  const logProbs = new Float32Array(tokens.length);
  return writtenTurn(encoded, sequence, {
    logProbs,
    text,
    freshPrompt: !before,
    sampling: { temperature: 1, bannedIds },
  });
}

/** Turns end in text, whose three positions are the same. */
function positionAfter({ positions }: Turn): number {
  if (!positions) throw new QwenVLError("positions", "the turn before holds no positions");
  return positions.at(-1)! + 1;
}

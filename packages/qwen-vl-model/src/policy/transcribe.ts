// Turns made without sampling: of given texts, to learn from, and of ids that a trace holds, to verify it.
import type { Turn, TurnInput } from "@iapo/rollout-trace";
import { at } from "../checked.ts";
import { QwenVLError } from "../error.ts";
import { turnSequence } from "../model/response.ts";
import { encodeObservation, encodePrompt } from "./input.ts";
import type { SessionParts } from "./session.ts";
import { writtenTurn } from "./turn.ts";

/** All of a session's parts but the model and its version. */
type ScribeParts = Omit<SessionParts, "model" | "version">;

/**
 * The turn of a text, its end token included, as if the policy had written it. `before` is the turn that it goes on from; without one the
 * input is a prompt of its own. The text is data: a special token spelled
 * out in it is its characters. @throws QwenVLError as `Processor.encodeChat`
 */
export function transcribe(parts: ScribeParts, input: TurnInput, text: string, before: Turn | undefined): Turn {
  const { tokenizer, stopIds } = parts.processor;
  const [end] = stopIds;
  if (end === undefined) throw new QwenVLError("prompt", "this processor knows no token that ends a response");
  const written = tokenizer.encodeData(tokenizer.normalize(text.toWellFormed()));
  return renderTurn(parts, input, Int32Array.from([...written, end]), before);
}

/** The turn in which the policy wrote these ids, with log-probs of 0: nothing was sampled. @throws QwenVLError as `Processor.encodeChat` */
export function renderTurn(parts: ScribeParts, input: TurnInput, ids: Int32Array, before: Turn | undefined): Turn {
  const { processor, images, bannedIds } = parts;
  const encoded = before
    ? encodeObservation(processor, images, input, {
        position: positionAfter(before),
        closeResponse: !processor.stopIds.some((id) => id === before.tokens.at(-1)),
      })
    : encodePrompt(processor, images, input);
  const sequence = turnSequence({ tokens: ids, nextPosition: encoded.nextPosition + ids.length });
  return writtenTurn(encoded, sequence, {
    logProbs: new Float32Array(ids.length),
    text: processor.tokenizer.decode(ids, { skipSpecialTokens: true }),
    freshPrompt: !before,
    sampling: { temperature: 1, bannedIds },
  });
}

/** Turns end in text, whose three positions are the same. */
function positionAfter({ positions }: Turn): number {
  if (!positions) throw new QwenVLError("positions", "the turn before holds no positions");
  return at(positions, -1) + 1;
}

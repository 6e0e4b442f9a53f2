// A rollout's session: blocks in, turns as traces hold them out.
import { setImmediate } from "node:timers/promises";
import type { RefusedInput, Session, Turn, TurnInput, TurnRequest } from "@iapo/rollout-trace";
import { at } from "../checked.ts";
import { QwenVLError } from "../error.ts";
import type { PassOptions } from "../generation/pass.ts";
import type { GeneratedTurn, TokenSampling } from "../generation/request.ts";
import { Session as TokenSession } from "../generation/session.ts";
import type { QwenVLModel } from "../model/model.ts";
import { turnSequence } from "../model/response.ts";
import type { Processor } from "../processor/processor.ts";
import type { ImageStore } from "./image-store.ts";
import { type EncodedInput, encodeObservation, encodePrompt } from "./input.ts";
import { writtenTurn } from "./turn.ts";

/** What a session needs of its policy. */
export interface SessionParts {
  readonly model: QwenVLModel;
  readonly processor: Processor;
  readonly images: ImageStore;
  readonly bannedIds: readonly number[];
  readonly version: number;
}

export class PolicySession implements Session {
  readonly #parts: SessionParts;
  readonly #session: TokenSession;
  /** What the next turn of each prompt (before the first turn) or response starts from. */
  #inputs: readonly EncodedInput[];
  #turns: readonly GeneratedTurn[] | undefined;

  private constructor(parts: SessionParts, inputs: readonly EncodedInput[], session: TokenSession) {
    this.#parts = parts;
    this.#inputs = inputs;
    this.#session = session;
  }

  /** Computes the prompts. @throws QwenVLError as `Processor.encodeChat`; what `Session.open` throws */
  static async open(parts: SessionParts, prompts: readonly TurnInput[], options: PassOptions): Promise<PolicySession> {
    const inputs: EncodedInput[] = [];
    for (const prompt of prompts) {
      await setImmediate(); // long prompts take a while: an interrupt is heard in between
      options.signal?.throwIfAborted();
      inputs.push(encodePrompt(parts.processor, parts.images, prompt));
    }
    return new PolicySession(parts, inputs, await TokenSession.open(parts.model, inputs, options));
  }

  /** Samples the next turn of every response. A turn's `blocks` count from the first block of its own input. */
  async generate({ samples, sampling, onTurn, maxTokens, ...rest }: TurnRequest): Promise<Turn[]> {
    const { model, processor, bannedIds, version } = this.#parts;
    const ids = model.device.gpu ? processor.stopIds : []; // a device that counts samples one id only: its turns are as long as they may be
    const first = this.#turns === undefined;
    const inputs = first ? this.#inputs.flatMap((input) => Array.from({ length: samples }, () => input)) : this.#inputs;
    const all: TokenSampling = { ...sampling, bannedIds };
    const turns: Turn[] = [];
    this.#turns = await this.#session.generate({
      ...rest,
      samples,
      sampling: all,
      version,
      stop: { ids, maxTokens },
      onTurn: (response, generated) => {
        turns[response] = writtenTurn(at(inputs, response), turnSequence(generated), {
          logProbs: generated.logProbs,
          text: processor.tokenizer.decode(generated.tokens, { skipSpecialTokens: true }),
          finish: generated.reason,
          freshPrompt: first,
          sampling: all,
        });
        onTurn?.(response, turns[response]);
      },
    });
    return turns;
  }

  /** Puts an observation behind each response; undefined ends one, as does what `Processor.encodeTurn` refuses. */
  async append(next: readonly (TurnInput | undefined)[], options: PassOptions = {}): Promise<readonly RefusedInput[]> {
    const { processor, images } = this.#parts;
    const turns = this.#turns;
    if (turns === undefined) throw new QwenVLError("session", "nothing was generated yet that could be continued");
    if (next.length !== turns.length)
      throw new QwenVLError("session", `${turns.length} responses need as many inputs, not ${next.length}`);
    const refused: RefusedInput[] = [];
    const inputs = turns.map(({ nextPosition, reason }, response) => {
      const input = next[response];
      if (input === undefined) return undefined;
      try {
        const closeResponse = reason === "length";
        return encodeObservation(processor, images, input, { position: nextPosition, closeResponse });
      } catch (error) {
        if (!(error instanceof QwenVLError)) throw error;
        refused.push({ response, reason: error });
        return undefined;
      }
    });
    this.#inputs = inputs.filter((input) => input !== undefined);
    if (this.#inputs.length > 0) await this.#session.append(inputs, options);
    return refused;
  }

  close(): void {
    this.#session.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

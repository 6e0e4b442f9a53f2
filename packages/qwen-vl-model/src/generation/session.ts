// Sampling from several prompts at once: each prompt is computed once, its responses decode together behind it on one cache, and later
// turns go on where the cache ends. A response depends on its prompt and its seed only, not on what else is in the batch.
import type { Tensor } from "@iapo/tensor-core";
import { QwenVLError } from "../error.ts";
import type { QwenVLModel } from "../model/model.ts";
import { nextPositionOf, type Sequence } from "../model/pack.ts";
import { textPositions } from "../model/response.ts";
import { KeyValueCache } from "./cache.ts";
import { CHUNK, Decoder } from "./decoder.ts";
import { type Draft, draftsOf, type Response, takeChunk } from "./draft.ts";
import { checkRequest } from "./options.ts";
import { forwardRows, type NewRows, type PassOptions } from "./pass.ts";
import type { GeneratedTurn, GenerateRequest } from "./request.ts";

interface Prompt {
  readonly start: number;
  readonly count: number;
  readonly nextPosition: number;
  readonly ids: ReadonlySet<number>;
}

export class Session {
  readonly #model: QwenVLModel;
  readonly #prompts: readonly Prompt[];
  #responses: Response[] | undefined;
  #cache: KeyValueCache;
  /** Hidden state that predicts the next token of each prompt (before the first turn) or of each response. */
  #last: Tensor;
  /** What is under way, or why nothing can be. */
  #state: "idle" | "busy" | "closed" = "idle";

  private constructor(model: QwenVLModel, prompts: readonly Prompt[], cache: KeyValueCache, last: Tensor) {
    this.#model = model;
    this.#prompts = prompts;
    this.#cache = cache;
    this.#last = last;
  }

  /**
   * Computes the prompts. The caller closes the session.
   * @throws QwenVLError `prompt` for an empty one, `positions`; TensorError `out_of_memory`; the reason of the signal; nothing is kept then
   */
  static async open(model: QwenVLModel, prompts: readonly Sequence[], options: PassOptions = {}): Promise<Session> {
    let rows = 0;
    const places = prompts.map((prompt): Prompt => {
      const count = prompt.tokens.length;
      if (count === 0) throw new QwenVLError("prompt", "an empty prompt cannot be continued");
      const start = rows;
      rows += count;
      return { start, count, nextPosition: nextPositionOf(prompt), ids: new Set(prompt.tokens) };
    });
    const parts = places.map(({ start, count }, i): NewRows => {
      const keys = { prefixStart: 0, prefixCount: 0, ownStart: start, ownCount: count };
      return { sequences: prompts.slice(i, i + 1), count, start, keys };
    });
    const cache = new KeyValueCache(model.device, model.config.text, rows);
    try {
      return new Session(model, places, cache, await forwardRows(model, cache, parts, options));
    } catch (error) {
      cache.dispose();
      throw error;
    }
  }

  /**
   * Samples the next turn of every response: the first, or the one behind what was appended.
   * @throws QwenVLError `option` for a request that cannot be, `session` out of turn, `not_finite`; TensorError `out_of_memory`; the reason of
   * the signal
   */
  async generate(request: GenerateRequest): Promise<GeneratedTurn[]> {
    this.#expectIdle();
    checkRequest(request);
    const first = this.#responses === undefined;
    if (this.#responses?.some(({ pending }) => pending !== undefined)) {
      throw new QwenVLError(
        "session",
        "the last turn has ended: append what follows it before the next one is generated",
      );
    }
    const responses = this.#responses ?? this.#firstResponses(request.samples);
    const drafts = draftsOf(responses, request);
    this.#state = "busy";
    try {
      this.#grow(responses, request.stop.maxTokens + CHUNK);
      this.#responses = responses;
      const rows = drafts.map(({ index, response }) => (first ? response.prompt : index));
      return await this.#sample(drafts, rows, request);
    } finally {
      if (this.#state === "busy") this.#state = "idle";
    }
  }

  async #sample(drafts: readonly Draft[], rows: readonly number[], request: GenerateRequest): Promise<GeneratedTurn[]> {
    const places = drafts.map((draft) => {
      const { response } = draft;
      return { draft, row: response.start + response.count, keys: this.#keysOf(response) };
    });
    let active = drafts;
    let decoder = new Decoder(this.#model, this.#cache, places, [this.#last, rows], request);
    let chunk: ReturnType<Decoder["decode"]> | undefined;
    try {
      chunk = this.#decode(decoder, request);
      while (chunk) {
        const [ids, values] = await chunk;
        const heard = active.map((draft) => ({ draft, before: draft.count }));
        takeChunk(active, ids, values, request);
        const remaining = active.flatMap(({ turn }, row) => (turn ? [] : [row]));
        const isLess = remaining.length < active.length;
        active = active.filter(({ turn }) => !turn);
        if (isLess && active.length > 0) {
          const whole = decoder;
          decoder = whole.only(remaining);
          whole.dispose();
        }
        chunk = active.length > 0 ? this.#decode(decoder, request) : undefined;
        // The GPU works on the others while the caller hears of these.
        for (const { draft, before } of heard) {
          const [ids, values] = [draft.tokens, draft.logProbs].map((all) => [...all.subarray(before, draft.count)]);
          request.onTokens?.(draft.index, ids ?? [], values ?? []);
          if (draft.turn) request.onTurn?.(draft.index, draft.turn);
        }
      }
    } finally {
      decoder.dispose();
      chunk?.catch(() => {}); // after an error nobody waits for it
    }
    return drafts.flatMap(({ response, turn }) => {
      if (!turn) return [];
      response.count += turn.tokens.length - 1;
      response.nextPosition = turn.nextPosition;
      response.pending = turn.tokens.at(-1);
      response.turns++;
      for (const id of turn.tokens) response.seen.add(id);
      return [turn];
    });
  }

  /**
   * Puts an observation behind each response and opens its next turn; `undefined` ends a response, which then takes no part any more. Positions
   * of an observation begin at the turn's `nextPosition`.
   * @throws QwenVLError `session` before a turn was generated, or after one was appended to already; `option`; TensorError `out_of_memory`; the
   * reason of the signal, after which the session can only be closed
   */
  async append(observations: readonly (Sequence | undefined)[], options: PassOptions = {}): Promise<void> {
    this.#expectIdle();
    const responses = this.#responses;
    if (!responses || responses.some(({ pending }) => pending === undefined)) {
      throw new QwenVLError("session", "no turn was generated since: there is nothing to append to");
    }
    if (observations.length !== responses.length) {
      throw new QwenVLError(
        "option",
        `${responses.length} responses need as many observations, not ${observations.length}`,
      );
    }
    const going = responses.flatMap((response, i) => {
      const sequence = observations[i];
      return sequence ? [{ response, sequence }] : [];
    });
    this.#responses = going.map(({ response }) => response);
    this.#grow(this.#responses, Math.max(0, ...going.map(({ sequence }) => sequence.tokens.length)) + 1);
    const parts = going.map(({ response, sequence }): NewRows => {
      const position = response.nextPosition - 1;
      const pending = {
        tokens: Int32Array.of(response.pending ?? 0),
        positions: textPositions(position, 1),
        images: [],
      };
      const count = 1 + sequence.tokens.length;
      const start = response.start + response.count;
      response.count += count;
      response.pending = undefined;
      response.nextPosition = Math.max(position + 1, nextPositionOf(sequence));
      for (const id of sequence.tokens) response.seen.add(id);
      return { sequences: [pending, sequence], count, start, keys: this.#keysOf(response) };
    });
    if (parts.length === 0) return;
    this.#state = "busy";
    const last = await forwardRows(this.#model, this.#cache, parts, options);
    if (this.#isClosed()) {
      last.dispose();
      throw new QwenVLError("session", "the session was closed while observations were put behind its turns");
    }
    this.#state = "idle";
    this.#last.dispose();
    this.#last = last;
  }

  /** What is generated meanwhile ends with an error of code `session`. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cache.dispose();
    this.#last.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Its state may have changed while something was awaited. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #expectIdle(): void {
    if (this.#state === "closed") throw new QwenVLError("session", "the session is closed");
    if (this.#state === "busy")
      throw new QwenVLError("session", "the session is generating or appending: wait for that first");
  }

  #firstResponses(samples: number): Response[] {
    return this.#prompts.flatMap(({ nextPosition, ids }, prompt) =>
      Array.from({ length: samples }, () => ({
        ...{ prompt, start: 0, count: 0 },
        ...{ nextPosition, pending: undefined, turns: 0, seen: new Set(ids) },
      })),
    );
  }

  /** Throws the reason of the signal. */
  #decode(decoder: Decoder, { signal }: GenerateRequest): ReturnType<Decoder["decode"]> {
    if (this.#state === "closed") throw new QwenVLError("session", "the session was closed while it was generating");
    signal?.throwIfAborted();
    return decoder.decode();
  }

  #keysOf({ prompt, start, count }: Response) {
    const prefix = this.#prompts[prompt];
    return { prefixStart: prefix?.start ?? 0, prefixCount: prefix?.count ?? 0, ownStart: start, ownCount: count };
  }

  /** Makes room for `extra` more rows behind every response. Throws `out_of_memory`, changing nothing. */
  #grow(responses: readonly Response[], extra: number): void {
    const { device, config } = this.#model;
    const promptRows = this.#prompts.reduce((sum, prompt) => sum + prompt.count, 0);
    const stride = Math.max(0, ...responses.map((response) => response.count)) + extra;
    const larger = new KeyValueCache(device, config.text, promptRows + stride * responses.length);
    const runs = [{ from: 0, to: 0, count: promptRows }];
    for (const [i, response] of responses.entries()) {
      const to = promptRows + i * stride;
      runs.push({ from: response.start, to, count: response.count });
      response.start = to;
    }
    this.#cache.copyTo(larger, runs);
    this.#cache.dispose();
    this.#cache = larger;
  }
}

// Sampling from several prompts at once: each prompt is computed once, its responses decode together behind it on one cache, and later
// turns go on where the cache ends. A response depends on its prompt and its seed only, not on what else is in the batch.
import {
  concat,
  deriveSeed,
  gatherRows,
  linear,
  noGrad,
  RowIndex,
  type Segment,
  sample,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { QwenVLError } from "../error.ts";
import type { UploadedLayout } from "../model/layout.ts";
import type { QwenVLModel } from "../model/model.ts";
import { nextPositionOf, type PackedBatch, RowBuilder, type Sequence } from "../model/pack.ts";
import { KeyValueCache } from "./cache.ts";
import { type GeneratedTurn, type GenerateRequest, sampleOptionsOf } from "./request.ts";
import { findEnd } from "./stop.ts";

interface Response {
  readonly prompt: number;
  /** Rows in the cache behind the prompt, and where they start. */
  start: number;
  count: number;
  nextPosition: number;
  /** Sampled last, not in the cache yet. */
  pending: number | undefined;
  turns: number;
}

/** Tokens sampled between two readbacks. */
const CHUNK = 8;

/** What the GPU is at. */
interface Chunk {
  /** `[active, hidden]` behind the chunk's last tokens. */
  readonly hidden: Tensor;
  /** Ids and log-probs, `[steps * active]` each. */
  readonly read: Promise<readonly [ids: Uint32Array, logProbs: Float32Array]>;
}

export class Session {
  readonly #model: QwenVLModel;
  readonly #prompts: { readonly start: number; readonly count: number; readonly nextPosition: number }[] = [];
  #responses: Response[] | undefined;
  #cache: KeyValueCache;
  /** Hidden state that predicts the next token of each prompt (before the first turn) or of each response. */
  #last: Tensor;

  private constructor(model: QwenVLModel, prompts: readonly Sequence[]) {
    this.#model = model;
    const builder = new RowBuilder(model.config);
    const segments: Segment[] = [];
    for (const prompt of prompts) {
      if (prompt.tokens.length === 0) throw new QwenVLError("prompt", "an empty prompt cannot be continued");
      const start = builder.add(prompt, prompt.tokens.length);
      const count = builder.count - start;
      this.#prompts.push({ start, count, nextPosition: nextPositionOf(prompt) });
      segments.push({
        queryStart: start,
        queryCount: count,
        prefixStart: 0,
        prefixCount: 0,
        ownStart: start,
        ownCount: count,
        causal: true,
      });
    }
    this.#cache = new KeyValueCache(model.device, model.config.text, builder.count);
    const rows = Int32Array.from({ length: builder.count }, (_, i) => i);
    this.#last = this.#forward(
      builder,
      segments,
      rows,
      segments.map((s) => s.queryStart + s.queryCount - 1),
    );
  }

  /** Computes the prompts, all in one pass. The caller closes the session. */
  static open(model: QwenVLModel, prompts: readonly Sequence[]): Session {
    return new Session(model, prompts);
  }

  /** Samples the next turn of every response. Throws `prompt` where seeds and responses differ in number. */
  async generate(request: GenerateRequest): Promise<GeneratedTurn[]> {
    const first = this.#responses === undefined;
    this.#responses ??= this.#prompts.flatMap(({ nextPosition }, prompt) =>
      Array.from({ length: request.samples }, () => ({
        prompt,
        start: 0,
        count: 0,
        nextPosition,
        pending: undefined,
        turns: 0,
      })),
    );
    const responses = this.#responses;
    if (request.seeds.length !== responses.length) {
      throw new QwenVLError("prompt", `${responses.length} responses need as many seeds, not ${request.seeds.length}`);
    }
    this.#grow(request.stop.maxTokens + CHUNK);
    const tokens: number[][] = responses.map(() => []);
    const logProbs: number[][] = responses.map(() => []);
    const turns: (GeneratedTurn | undefined)[] = responses.map(() => undefined);
    let active = responses.map((_, i) => i);
    const rows = active.map((i) => (first ? responses[i]!.prompt : i));
    let chunk = this.#begin(this.#last, rows, active, tokens, request);
    try {
      while (chunk) {
        const [ids, values] = await chunk.read;
        const written = active.map((i) => ({ response: i, before: tokens[i]!.length }));
        for (const [row, { response: i, before }] of written.entries()) {
          for (let at = row; at < ids.length; at += written.length) {
            tokens[i]!.push(ids[at]!);
            logProbs[i]!.push(values[at]!);
          }
          const end = findEnd(tokens[i]!, before, request.stop);
          if (!end) continue;
          tokens[i]!.length = end.count;
          logProbs[i]!.length = end.count;
          turns[i] = {
            tokens: Int32Array.from(tokens[i]!),
            logProbs: Float32Array.from(logProbs[i]!),
            reason: end.reason,
            nextPosition: responses[i]!.nextPosition + end.count,
          };
        }
        const remaining = active.flatMap((i, row) => (turns[i] ? [] : [row]));
        active = active.filter((i) => !turns[i]);
        const done: Chunk = chunk;
        chunk = this.#begin(done.hidden, remaining, active, tokens, request);
        done.hidden.dispose();
        // The GPU works on the others while the caller hears of these.
        for (const { response, before } of written) {
          request.onTokens?.(response, tokens[response]!.slice(before));
          if (turns[response]) request.onTurn?.(response, turns[response]);
        }
      }
    } finally {
      chunk?.hidden.dispose();
      chunk?.read.catch(() => {}); // after an error nobody waits for it
    }
    return responses.map((response, i) => {
      const turn = turns[i]!;
      response.count += turn.tokens.length - 1;
      response.nextPosition = turn.nextPosition;
      response.pending = turn.tokens.at(-1)!;
      response.turns++;
      return turn;
    });
  }

  /**
   * Puts an observation behind each response and opens its next turn; `undefined` ends a response, which then takes no part any more. Positions
   * of an observation begin at the turn's `nextPosition`.
   */
  append(observations: readonly (Sequence | undefined)[]): void {
    const responses = this.#responses ?? [];
    if (observations.length !== responses.length) {
      throw new QwenVLError(
        "prompt",
        `${responses.length} responses need as many observations, not ${observations.length}`,
      );
    }
    const going = responses.filter((_, i) => observations[i] !== undefined);
    const sequences = observations.filter((sequence) => sequence !== undefined);
    this.#responses = going;
    this.#grow(Math.max(0, ...sequences.map((sequence) => sequence.tokens.length)) + 1);
    const builder = new RowBuilder(this.#model.config);
    const segments: Segment[] = [];
    const target: number[] = [];
    going.forEach((response, i) => {
      const sequence = sequences[i]!;
      const position = response.nextPosition - 1;
      const queryStart = builder.add(
        {
          tokens: Int32Array.of(response.pending!),
          positions: Int32Array.of(position, position, position),
          images: [],
        },
        1,
      );
      builder.add(sequence, sequence.tokens.length);
      const queryCount = builder.count - queryStart;
      for (let row = 0; row < queryCount; row++) target.push(response.start + response.count + row);
      response.count += queryCount;
      response.pending = undefined;
      response.nextPosition = Math.max(position + 1, nextPositionOf(sequence));
      segments.push({ queryStart, queryCount, ...this.#keysOf(response), causal: true });
    });
    this.#last.dispose();
    this.#last = this.#forward(
      builder,
      segments,
      Int32Array.from(target),
      segments.map((s) => s.queryStart + s.queryCount - 1),
    );
  }

  close(): void {
    this.#cache.dispose();
    this.#last.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Submits a chunk of the responses `active`, if any, whose hidden states are `rows` of `states`. Throws the reason of the signal. */
  #begin(
    states: Tensor,
    rows: readonly number[],
    active: readonly number[],
    tokens: readonly number[][],
    request: GenerateRequest,
  ): Chunk | undefined {
    if (active.length === 0) return undefined;
    request.signal?.throwIfAborted();
    const { hidden, ids, logProbs } = noGrad(() =>
      scope(() => this.#chunk(this.#gather(states, rows), active, tokens, request)),
    );
    const read = Promise.all([ids.read(), logProbs.read()]);
    ids.dispose();
    logProbs.dispose();
    return { hidden, read };
  }

  /** Up to `CHUNK` steps on the GPU: sample, then compute the sampled token. Ids and log-probs are `[steps * active]`, step after step. */
  #chunk(
    start: Tensor,
    active: readonly number[],
    tokens: readonly number[][],
    { sampling, seeds, stop }: GenerateRequest,
  ) {
    const responses = active.map((i) => this.#responses![i]!);
    const done = tokens[active[0]!]!.length;
    const count = Math.min(CHUNK, stop.maxTokens - done);
    const options = sampleOptionsOf(
      this.#model,
      sampling,
      active.map((i) => deriveSeed(...seeds[i]!, this.#responses![i]!.turns)),
    );
    let hidden = start;
    const drawn = Array.from({ length: count }, (_, step) => {
      const before = hidden;
      // The upload submits the step before: the GPU works on it while this one is recorded.
      const { layout, target } = this.#uploadStep(responses, done + step);
      const made = scope(() => sample(linear(before, this.#model.head), { ...options, position: done + step }));
      this.#cache.target = target;
      hidden = this.#model.hidden(this.#model.embedTokens(made.ids), { layout }, { cache: this.#cache });
      before.dispose();
      return made;
    });
    const joined = (parts: readonly Tensor[]) => concat(parts, 0);
    return {
      hidden,
      ids: joined(drawn.map(({ ids }) => ids)) as Tensor & { readonly dtype: "u32" },
      logProbs: joined(drawn.map(({ logProbs }) => logProbs)) as Tensor & { readonly dtype: "f32" },
    };
  }

  /** Where the tokens that the responses sample at `step` of this turn stand: one row each, behind what each has in the cache. */
  #uploadStep(responses: readonly Response[], step: number): { layout: UploadedLayout; target: RowIndex } {
    const positions = responses.map((response) => response.nextPosition + step);
    const layout = this.#model.uploadText({
      positions: Int32Array.from([...positions, ...positions, ...positions]),
      segments: responses.map((response, row) => {
        const keys = this.#keysOf(response);
        return { queryStart: row, queryCount: 1, ...keys, ownCount: keys.ownCount + step + 1, causal: true };
      }),
    });
    const rows = Int32Array.from(responses, (response) => response.start + response.count + step);
    return { layout, target: this.#cache.index(this.#model.device, rows) };
  }

  #keysOf({ prompt, start, count }: Response): Pick<Segment, "prefixStart" | "prefixCount" | "ownStart" | "ownCount"> {
    const prefix = this.#prompts[prompt]!;
    return { prefixStart: prefix.start, prefixCount: prefix.count, ownStart: start, ownCount: count };
  }

  #gather(states: Tensor, rows: readonly number[]): Tensor {
    return scope(() => gatherRows(states, RowIndex.of(this.#model.device, Int32Array.from(rows), states.shape[0]!)));
  }

  /** One pass over new rows, whose keys and values go to `target` in the cache; the hidden states of rows `last`. */
  #forward(builder: RowBuilder, segments: readonly Segment[], target: Int32Array, last: readonly number[]): Tensor {
    const model = this.#model;
    const batch: PackedBatch = {
      ...builder.finish(),
      segments,
      targetRows: new Int32Array(),
      targetIds: new Int32Array(),
      responseStarts: Int32Array.of(0),
    };
    return noGrad(() =>
      scope(() => {
        const uploaded = model.upload(batch);
        this.#cache.target = this.#cache.index(model.device, target);
        const hidden = model.hidden(model.embed(uploaded), uploaded, { cache: this.#cache });
        return this.#gather(hidden, last);
      }),
    );
  }

  /** Makes room for `extra` more rows behind every response. */
  #grow(extra: number): void {
    const responses = this.#responses ?? [];
    const promptRows = this.#prompts.reduce((sum, prompt) => sum + prompt.count, 0);
    const stride = Math.max(0, ...responses.map((response) => response.count)) + extra;
    const larger = new KeyValueCache(
      this.#model.device,
      this.#model.config.text,
      promptRows + stride * responses.length,
    );
    const runs = [{ from: 0, to: 0, count: promptRows }];
    responses.forEach((response, i) => {
      const to = promptRows + i * stride;
      runs.push({ from: response.start, to, count: response.count });
      response.start = to;
    });
    this.#cache.copyTo(larger, runs);
    this.#cache.dispose();
    this.#cache = larger;
  }
}

// Answers in the shape of OpenAI's chat completions, whole or as chunks of a stream.
import { randomUUID } from "node:crypto";
import type { GeneratedTurn } from "@iapo/qwen-vl-model";
import type { Processor } from "@iapo/qwen-vl-model/processor";
import type { ChatRequest } from "./chat-request.ts";
import type { Answers } from "./served-model.ts";
import { StopText } from "./stop-text.ts";

type Tokenizer = Processor["tokenizer"];

/** What all parts of an answer carry. */
export interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export function headOf({ model }: ChatRequest): Head {
  return { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

export function completion(head: Head, request: ChatRequest, answers: Answers, tokenizer: Tokenizer): object {
  const choices = answers.turns.map((turn, index) => ({
    index,
    message: { role: "assistant", content: textOf(turn, request, tokenizer), refusal: null },
    finish_reason: turn.reason,
    logprobs: request.logProbs ? logProbsOf(turn, tokenizer, answers.likeliest[index]) : null,
    ...(request.tokenIds && { token_ids: [...turn.tokens] }),
  }));
  const ids = request.tokenIds && { prompt_token_ids: [...answers.prompt.tokens] };
  return { ...head, object: "chat.completion", choices, usage: usageOf(answers), ...ids };
}

function textOf({ tokens }: GeneratedTurn, { stop }: ChatRequest, tokenizer: Tokenizer): string {
  const cut = new StopText(stop);
  return cut.push(tokenizer.decode(tokens, { skipSpecialTokens: true })) + cut.end();
}

/** A sampled token has one log-prob, wherever it stands. */
function logProbsOf(
  { tokens, logProbs }: { readonly tokens: ArrayLike<number>; readonly logProbs: ArrayLike<number> },
  tokenizer: Tokenizer,
  likeliest: Answers["likeliest"][number] = [],
): object {
  const written = (id: number, logprob: number | undefined) => {
    const bytes = tokenizer.bytes(id);
    return { token: Buffer.from(bytes).toString(), bytes: [...bytes], logprob };
  };
  const content = Array.from(tokens, (id, i) => ({
    ...written(id, logProbs[i]),
    top_logprobs: (likeliest[i] ?? []).map((one) => written(one.id, one.id === id ? logProbs[i] : one.logProb)),
  }));
  return { content, refusal: null };
}

function usageOf({ prompt, turns }: Answers): object {
  const [prompted, made] = [prompt.tokens.length, turns.reduce((sum, { tokens }) => sum + tokens.length, 0)];
  return { prompt_tokens: prompted, completion_tokens: made, total_tokens: prompted + made };
}

/**
 * The chunks of an answer, as its tokens come, with their log-probs and ids. Log-probs with the likeliest tokens beside them come in the last
 * chunk of each choice: a pass over the whole answer finds those.
 */
export class ChunkWriter {
  readonly #head: Head;
  readonly #request: ChatRequest;
  readonly #tokenizer: Tokenizer;
  readonly #logProbsWithTokens: boolean;
  readonly #texts: readonly { readonly decoder: ReturnType<Tokenizer["streamingDecoder"]>; readonly cut: StopText }[];

  constructor(head: Head, request: ChatRequest, tokenizer: Tokenizer) {
    this.#head = head;
    this.#request = request;
    this.#tokenizer = tokenizer;
    this.#logProbsWithTokens = request.logProbs && request.topLogProbs === 0;
    this.#texts = Array.from({ length: request.samples }, () => ({
      decoder: tokenizer.streamingDecoder({ skipSpecialTokens: true }),
      cut: new StopText(request.stop),
    }));
  }

  begin(): object[] {
    return this.#texts.map((_, index) => this.#chunk(index, { role: "assistant", content: "" }, null));
  }

  tokens(index: number, ids: readonly number[], logProbs: readonly number[]): object[] {
    const text = this.#texts[index];
    const shown = text?.cut.push(ids.map((id) => text.decoder.push(id)).join("")) ?? "";
    const more = {
      ...(this.#logProbsWithTokens && { logprobs: logProbsOf({ tokens: ids, logProbs }, this.#tokenizer) }),
      ...(this.#request.tokenIds && { token_ids: ids }),
    };
    if (shown === "" && Object.keys(more).length === 0) return [];
    return [this.#chunk(index, { content: shown }, null, more)];
  }

  end(answers: Answers): object[] {
    const chunks = answers.turns.flatMap((turn, index) => {
      const text = this.#texts[index];
      const rest = text ? text.cut.push(text.decoder.end()) + text.cut.end() : "";
      const isLate = this.#request.logProbs && !this.#logProbsWithTokens;
      const more = isLate ? { logprobs: logProbsOf(turn, this.#tokenizer, answers.likeliest[index]) } : {};
      return this.#chunk(index, rest === "" ? {} : { content: rest }, turn.reason, more);
    });
    const ids = this.#request.tokenIds && { prompt_token_ids: [...answers.prompt.tokens] };
    const last = { ...this.#head, object: "chat.completion.chunk", choices: [], usage: usageOf(answers), ...ids };
    return this.#request.usageInStream || this.#request.tokenIds ? [...chunks, last] : chunks;
  }

  #chunk(index: number, delta: object, finish_reason: string | null, more: object = {}): object {
    const choices = [{ index, delta, finish_reason, logprobs: null, ...more }];
    return { ...this.#head, object: "chat.completion.chunk", choices };
  }
}

/** A language model behind an OpenAI-compatible endpoint, as a function from messages to its reply. For judges, verifiers and evaluation. */

import { z } from "zod";
import { type Outcome, postJson, type RetryPolicy } from "./http.ts";
import { Semaphore } from "./semaphore.ts";

export type ChatMessage = {
  readonly role: "system" | "user" | "assistant";
  readonly content:
    | string
    | readonly (
        | { readonly type: "text"; readonly text: string }
        /** `url` may be a data URL. */
        | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
      )[];
};

export type ChatOptions = RetryPolicy & {
  /** Base address, such as `http://localhost:8000/v1`; `/chat/completions` is added. */
  readonly endpoint: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** Requests under way at one time. */
  readonly concurrency: number;
  /** Of a reply. */
  readonly maximumTokens: number;
};

export type ChatRequest = {
  /** Default 0. */
  readonly temperature?: number | undefined;
  /** For servers that sample by a seed. */
  readonly seed?: number | undefined;
  /** Ends the request and its retries with an AbortError. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * The reply as it came; empty where the model wrote nothing. Throws VqaTasksError `request_refused` where this request has no answer (a refusal,
 * a filter, a reply cut off before it began) and others may have one; `judge_failed` where there was none after all retries, or no chat
 * completion.
 */
export type ChatClient = (messages: readonly ChatMessage[], request?: ChatRequest) => Promise<string>;

export const defaultChatOptions: Omit<ChatOptions, "endpoint" | "model"> = {
  timeoutMs: 60_000,
  retries: 4,
  firstDelayMs: 500,
  concurrency: 16,
  maximumTokens: 64,
};

const messageSchema = z.object({ content: z.string().nullish(), refusal: z.string().nullish() });
const choiceSchema = z.object({ message: messageSchema, finish_reason: z.string().nullish() });
const completionSchema = z.object({ choices: z.tuple([choiceSchema], z.unknown()) });

export function createChatClient(options: Pick<ChatOptions, "endpoint" | "model"> & Partial<ChatOptions>): ChatClient {
  const all: ChatOptions = { ...defaultChatOptions, ...options };
  const gate = new Semaphore(all.concurrency);
  const url = `${all.endpoint.replace(/\/+$/, "")}/chat/completions`;
  return (messages, { temperature = 0, seed, signal } = {}) =>
    gate.run(async () => {
      signal?.throwIfAborted();
      const sampling = { temperature, max_tokens: all.maximumTokens, ...(seed === undefined ? {} : { seed }) };
      const body = { model: all.model, messages, ...sampling, stream: false };
      return postJson(url, body, all.apiKey, { ...all, signal }, replyOf);
    });
}

/** A reply that was cut off is one; nothing, for a reason, is none. */
function replyOf(answer: unknown): Outcome<string> {
  const shown = JSON.stringify(answer)?.slice(0, 200);
  const parsed = completionSchema.safeParse(answer);
  if (!parsed.success)
    return { fault: `${shown} is no chat completion; check that the address ends where /chat/completions begins` };
  const [{ message, finish_reason: reason }] = parsed.data.choices;
  if (message.content && reason !== "content_filter") return { value: message.content };
  if (reason === "error") return { fault: `${shown} reports a fault in place of a reply`, repeat: true };
  if (message.content === "" && !message.refusal && (reason ?? "stop") === "stop") return { value: "" };
  return {
    fault: `${shown} holds no reply: ${message.refusal ? "a refusal" : `finish_reason ${reason}`}`,
    refused: true,
  };
}

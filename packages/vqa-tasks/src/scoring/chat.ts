/** A language model behind an OpenAI-compatible endpoint, as a function from messages to its reply. For judges and verifiers. */

import { z } from "zod";
import { postJson, type RetryPolicy } from "./http.ts";
import { Semaphore } from "./semaphore.ts";

export type ChatMessage = {
  readonly role: "system" | "user";
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

/** The reply as it came; empty where the answer holds none. Throws VqaTasksError `judge_failed` where there was no answer after all retries. */
export type ChatClient = (messages: readonly ChatMessage[]) => Promise<string>;

export const defaultChatOptions: Omit<ChatOptions, "endpoint" | "model"> = {
  timeoutMs: 60_000,
  retries: 4,
  firstDelayMs: 500,
  concurrency: 16,
  maximumTokens: 64,
};

const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
});

/** Asks at temperature 0. */
export function createChatClient(options: Pick<ChatOptions, "endpoint" | "model"> & Partial<ChatOptions>): ChatClient {
  const all: ChatOptions = { ...defaultChatOptions, ...options };
  const gate = new Semaphore(all.concurrency);
  const url = `${all.endpoint.replace(/\/+$/, "")}/chat/completions`;
  return (messages) =>
    gate.run(async () => {
      const body = { model: all.model, messages, temperature: 0, max_tokens: all.maximumTokens, stream: false };
      const parsed = completionSchema.safeParse(await postJson(url, body, all.apiKey, all));
      return parsed.data?.choices[0]?.message.content ?? "";
    });
}

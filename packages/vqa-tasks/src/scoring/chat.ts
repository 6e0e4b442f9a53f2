// A language model behind an OpenAI-compatible endpoint, as a function from messages to its reply. For judges, verifiers and evaluation.
import { VqaTasksError } from "../error.ts";
import { readCompletion } from "./completion.ts";
import { endpointProblem } from "./endpoint-address.ts";
import { LONGEST_TIMEOUT_MS, postJson, type RetryPolicy, withoutSecret } from "./http.ts";
import { Semaphore } from "./semaphore.ts";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content:
    | string
    | readonly (
        | { readonly type: "text"; readonly text: string }
        /** `url` may be a data URL. */
        | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
      )[];
}

export type ChatOptions = RetryPolicy & {
  /** Base address, such as `http://localhost:8000/v1`; `/chat/completions` is added. */
  readonly endpoint: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** The header that carries the key, bare; default `Authorization: Bearer KEY`. Azure's is `api-key`. */
  readonly apiKeyHeader?: string | undefined;
  /** Further headers; none that carries a key. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Behind the address, such as Azure's `api-version`. */
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Further fields of the request's body, in place of those that stand there; null leaves a field out, such as `seed`. */
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** In place of a request's own. */
  readonly temperature?: number | undefined;
  /** What the server calls the limit of a reply. */
  readonly maxTokensName?: "max_tokens" | "max_completion_tokens" | undefined;
  /** Requests under way at one time. */
  readonly concurrency: number;
  /** Of a reply, thinking included. */
  readonly maxTokens: number;
};

export interface ChatRequest {
  /** Default 0. */
  readonly temperature?: number | undefined;
  /** For servers that sample by a seed. */
  readonly seed?: number | undefined;
  /** A reply that was cut at its limit is refused: half of a verdict is none. */
  readonly whole?: boolean | undefined;
  /** Ends the request and its retries with an AbortError. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The reply as it came, but for the key; empty where the model wrote nothing. Throws VqaTasksError `request_refused` where this request is refused
 * for good (a filter, a refusal, a limit reached while thinking), `endpoint_failed` where there was no answer after all retries, or no chat completion.
 */
export type ChatClient = (messages: readonly ChatMessage[], request?: ChatRequest) => Promise<string>;

export const defaultChatOptions: Omit<ChatOptions, "endpoint" | "model"> = {
  timeoutMs: 60_000,
  retries: 4,
  retryDelayMs: 500,
  concurrency: 16,
  maxTokens: 1024,
};

/** @throws VqaTasksError `invalid_config` for an address that is none, or that holds a key; for a key or headers that cannot be sent, and a time-out beyond timers */
export function createChatClient(options: Pick<ChatOptions, "endpoint" | "model"> & Partial<ChatOptions>): ChatClient {
  const all: ChatOptions = { ...defaultChatOptions, ...options };
  const problem = endpointProblem(all.endpoint);
  if (problem !== undefined) throw new VqaTasksError("invalid_config", problem);
  const gate = new Semaphore(all.concurrency);
  const query = new URLSearchParams(all.query).toString();
  const url = `${all.endpoint.replace(/\/+$/, "")}/chat/completions${query === "" ? "" : `?${query}`}`;
  if (!(all.timeoutMs <= LONGEST_TIMEOUT_MS))
    throw new VqaTasksError("invalid_config", `a time-out is at most ${LONGEST_TIMEOUT_MS} ms, not ${all.timeoutMs}`);
  const secret = sendable(all.apiKey);
  const headers = { ...all.headers, ...keyHeader(secret, all.apiKeyHeader) };
  try {
    new Headers(headers);
  } catch (cause) {
    throw new VqaTasksError("invalid_config", `headers of the endpoint: ${(cause as Error).message}`, { cause });
  }
  return (messages, request = {}) =>
    gate.run(async () => {
      const { signal, whole } = request;
      signal?.throwIfAborted();
      const body = bodyOf(all, messages, request);
      const read = (answer: unknown) => readCompletion(answer, whole);
      return withoutSecret(await postJson(url, body, read, { ...all, headers, secret, signal }), secret);
    });
}

/** Keys from files end in a line break; an empty one is none. */
function sendable(apiKey: string | undefined): string | undefined {
  const key = apiKey?.trim();
  if (/^[\x20-\x7e]*$/.test(key ?? "")) return key === "" ? undefined : key;
  throw new VqaTasksError(
    "invalid_config",
    "the endpoint's API key holds a character that no header may hold, such as a line break; is it the right text?",
  );
}

function keyHeader(key: string | undefined, header: string | undefined): Record<string, string> {
  if (key === undefined) return {};
  return header === undefined ? { authorization: `Bearer ${key}` } : { [header]: key };
}

function bodyOf(
  options: ChatOptions,
  messages: readonly ChatMessage[],
  { temperature = 0, seed }: ChatRequest,
): object {
  const fields = {
    model: options.model,
    messages,
    temperature: options.temperature ?? temperature,
    [options.maxTokensName ?? "max_tokens"]: options.maxTokens,
    ...(seed === undefined ? {} : { seed }),
    stream: false,
    ...options.body,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** One JSON request with time-out, bounded answer and retries. */

import { setTimeout as sleep } from "node:timers/promises";
import { VqaTasksError } from "../error.ts";

export type RetryPolicy = {
  /** For one request, in milliseconds; the body's arrival counts too. */
  readonly timeoutMs: number;
  /** How often a request is repeated after a network fault, a time-out, or status 408, 429 or 5xx. */
  readonly retries: number;
  /** Wait before the first repetition; doubled each time. A server's Retry-After is followed up to {@link LONGEST_DELAY_MS}. */
  readonly firstDelayMs: number;
};

const LONGEST_DELAY_MS = 30_000;
const MOST_BYTES = 2 ** 20;

/** What a request came to. `repeat`: the fault may pass. `refused`: it is this request's own, and others may succeed. */
export type Outcome<T> =
  | { readonly value: T }
  | {
      readonly fault: string;
      readonly repeat?: boolean | undefined;
      readonly refused?: boolean | undefined;
      readonly delayMs?: number | undefined;
    };

/**
 * What `read` finds in the parsed JSON of the answer.
 * @throws VqaTasksError `request_refused` where another request may succeed, `judge_failed` else; an AbortError where `signal` aborts
 */
export async function postJson<T>(
  url: string,
  body: unknown,
  apiKey: string | undefined,
  policy: RetryPolicy & { readonly signal?: AbortSignal | undefined },
  read: (answer: unknown) => Outcome<T>,
): Promise<T> {
  let [fault, refused] = ["", false];
  for (let attempt = 0; attempt <= policy.retries; attempt += 1) {
    const answer = await request(url, body, apiKey, policy);
    const outcome = "value" in answer ? read(answer.value) : answer;
    policy.signal?.throwIfAborted();
    if ("value" in outcome) return outcome.value;
    fault = outcome.fault;
    refused = outcome.refused === true;
    if (!outcome.repeat) break;
    const delay = outcome.delayMs ?? policy.firstDelayMs * 2 ** attempt;
    if (attempt < policy.retries)
      await sleep(Math.min(delay, LONGEST_DELAY_MS), undefined, policy.signal ? { signal: policy.signal } : {});
  }
  if (refused) throw new VqaTasksError("request_refused", `POST ${url}: ${fault}`);
  throw new VqaTasksError("judge_failed", `POST ${url}: ${fault}; check the endpoint, its key and its load`);
}

/** Statuses by which a server says that it will not serve what was asked: too large, not understood, not allowed as content. */
const refusals = new Set([400, 413, 415, 422, 451]);

async function request(
  url: string,
  body: unknown,
  apiKey: string | undefined,
  { timeoutMs, signal }: Parameters<typeof postJson>[3],
): Promise<Outcome<unknown>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify(body),
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const text = await readBounded(response);
    if (response.ok) return { value: JSON.parse(text) };
    const { status } = response;
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return {
      fault: `status ${status} ${JSON.stringify(text.slice(0, 200))}`,
      repeat: status === 408 || status === 429 || status >= 500,
      refused: refusals.has(status),
      delayMs: seconds >= 0 ? seconds * 1000 : undefined,
    };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return { fault: `${error instanceof Error ? error.message : String(error)}${cause}`, repeat: true };
  }
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`the answer is longer than ${MOST_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

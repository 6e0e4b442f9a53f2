// One JSON request with time-out, bounded answer and retries.
import { setTimeout as sleep } from "node:timers/promises";
import { VqaTasksError } from "../error.ts";
import { meaningOf, type Outcome } from "./completion.ts";

export interface RetryPolicy {
  /** For one request, in milliseconds; the body's arrival counts too. */
  readonly timeoutMs: number;
  /** How often a request is repeated after a network fault, a time-out, status 408, 429 or 5xx, or such a fault inside of an answer. */
  readonly retries: number;
  /** Wait before the first repetition; doubled each time. A server's Retry-After is followed up to {@link LONGEST_DELAY_MS}. */
  readonly retryDelayMs: number;
}

type JsonRequest = RetryPolicy & {
  readonly headers: Readonly<Record<string, string>>;
  /** Never shown: taken out of whatever a server says. */
  readonly secret: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

const LONGEST_DELAY_MS = 30_000;
const MOST_BYTES = 2 ** 20;

/**
 * What `read` makes of the parsed answer.
 * @throws VqaTasksError `endpoint_failed`, or `request_refused` where this request is refused for good; an AbortError where `signal` aborts
 */
export async function postJson<T>(
  url: string,
  body: unknown,
  read: (answer: unknown) => Outcome<T>,
  options: JsonRequest,
): Promise<T> {
  let last: Extract<Outcome<T>, { fault: string }> = { fault: "", repeat: false };
  for (let attempt = 0; attempt <= options.retries; attempt += 1) {
    const outcome = await request(url, body, read, options);
    options.signal?.throwIfAborted();
    if ("value" in outcome) return outcome.value;
    last = outcome;
    if (!outcome.repeat) break;
    const delay = outcome.delayMs ?? options.retryDelayMs * 2 ** attempt;
    if (attempt < options.retries)
      await sleep(Math.min(delay, LONGEST_DELAY_MS), undefined, options.signal ? { signal: options.signal } : {});
  }
  const advice = last.refused ? "" : "; check the endpoint, its key and its load";
  const message = withoutSecret(`POST ${url}: ${last.fault}${advice}`, options.secret);
  throw new VqaTasksError(last.refused ? "request_refused" : "endpoint_failed", message);
}

/** A server may send back what it was sent. */
export function withoutSecret(text: string, secret: string | undefined): string {
  if (secret === undefined || secret === "") return text;
  const forms = new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  return [...forms].reduce((safe, form) => safe.replaceAll(form, "***"), text);
}

async function request<T>(
  url: string,
  body: unknown,
  read: (answer: unknown) => Outcome<T>,
  { timeoutMs, signal, headers, secret }: JsonRequest,
): Promise<Outcome<T>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(body),
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const text = withoutSecret(await readBounded(response), secret);
    return response.ok ? answered(text, read) : refusal(response, text);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return { fault: `${error instanceof Error ? error.message : String(error)}${cause}`, repeat: true };
  }
}

function answered<T>(text: string, read: (answer: unknown) => Outcome<T>): Outcome<T> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    const start = text.trimStart().slice(0, 200);
    if (/^(?:data|event|id|):/.test(start))
      return { fault: "a stream of events; the server does not honor stream: false", repeat: false };
    return { fault: `an answer that is no JSON: ${JSON.stringify(start)}`, repeat: true };
  }
  return read(answer);
}

function refusal({ status, headers }: Response, text: string): Outcome<never> {
  const delayMs = delayOf(headers);
  return {
    fault: `status ${status} ${JSON.stringify(text.slice(0, 200))}`,
    ...meaningOf(status, [text.slice(0, 2000)]),
    ...(delayMs !== undefined && { delayMs }),
  };
}

/** What `retry-after-ms`, or `retry-after` in seconds or as a date, asks for. */
function delayOf(headers: Headers): number | undefined {
  const [milliseconds, after] = [headers.get("retry-after-ms"), headers.get("retry-after")];
  if (milliseconds !== null && /^\d+$/.test(milliseconds)) return Number(milliseconds);
  if (after === null) return undefined;
  const delay = /^\d+(?:\.\d+)?$/.test(after) ? 1000 * Number(after) : Date.parse(after) - Date.now();
  return Number.isFinite(delay) ? Math.max(0, delay) : undefined;
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

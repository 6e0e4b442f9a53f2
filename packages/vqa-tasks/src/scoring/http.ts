// One JSON request with time-out, bounded answer and retries.
import { setTimeout as sleep } from "node:timers/promises";
import { proxyAdvice } from "@iapo/rollout-trace/files";
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
/** Shorter keys are the placeholders of servers that want none (`EMPTY`, `none`): words that a reply may hold. */
const SHORTEST_SECRET = 6;
/** A timer holds no more. */
export const LONGEST_TIMEOUT_MS: number = 2 ** 31 - 1;

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
  if (secret === undefined || secret.length < SHORTEST_SECRET) return text;
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
      redirect: "manual", // another address is not given the key
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    if (!response.ok) return refusal(response, withoutSecret(await startOf(response), secret));
    return answered(withoutSecret(await wholeOf(response), secret), read);
  } catch (error) {
    if (timeout.aborted) return { fault: `no whole answer within ${timeoutMs / 1000} s`, repeat: true };
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message.trim()})` : "";
    const fault = `${error instanceof Error ? error.message : String(error)}${cause}${proxyAdvice(url)}`;
    return { fault, repeat: true };
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
  const to = headers.get("location");
  if (status >= 300 && status < 400 && to !== null) {
    const advice = "which is not followed: give that address itself";
    return {
      fault: `status ${status}, another address (${JSON.stringify(to.slice(0, 200))}), ${advice}`,
      repeat: false,
    };
  }
  const patience = delayMs === undefined ? "" : `, which asks for a wait of ${Math.ceil(delayMs / 1000)} s`;
  return {
    fault: `status ${status} ${JSON.stringify(text.slice(0, 200))}${patience}`,
    ...meaningOf(status, [text.slice(0, 2000)]),
    ...(delayMs !== undefined && { delayMs }),
  };
}

/** What `retry-after-ms`, or `retry-after` in seconds or as a date to come, asks for. */
function delayOf(headers: Headers): number | undefined {
  const [milliseconds, after] = [headers.get("retry-after-ms"), headers.get("retry-after")];
  const isNumber = (text: string): boolean => /^\d+(?:\.\d+)?$/.test(text);
  if (milliseconds !== null && isNumber(milliseconds)) return positive(Number(milliseconds));
  if (after === null) return undefined;
  return positive(isNumber(after) ? 1000 * Number(after) : Date.parse(after) - Date.now());
}

const positive = (delay: number): number | undefined => (delay > 0 ? delay : undefined);

/** @throws Error for a longer one, and for one that is not UTF-8: a reply with other letters than the model's is none */
async function wholeOf(response: Response): Promise<string> {
  const { bytes, isWhole } = await bodyOf(response, MOST_BYTES);
  if (!isWhole) throw new Error(`the answer is longer than ${MOST_BYTES} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error("the answer is not UTF-8", { cause });
  }
}

async function startOf(response: Response): Promise<string> {
  return new TextDecoder().decode((await bodyOf(response, MOST_BYTES)).bytes);
}

/** The body of an answer, of which no more than `most` bytes are taken. */
export async function bodyOf(response: Response, most: number): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let count = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    count += chunk.length;
    if (count > most) return { bytes: Buffer.concat(chunks, most), isWhole: false };
  }
  return { bytes: Buffer.concat(chunks), isWhole: true };
}

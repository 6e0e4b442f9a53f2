// Requests to a hub: the token goes to the hub alone, and where it asks for patience it gets it.
import { setTimeout as sleep } from "node:timers/promises";
import { HubApiError } from "@huggingface/hub";
import { proxyAdvice } from "@iapo/rollout-trace/files";
import { QwenVLError, reasonOf } from "../error.ts";

/** Waits for one request. */
const MAX_WAITS = 5;
/** An answer that has not begun by then will not. */
const SILENCE_MS = 60_000;
/** Nobody sits through more. */
const MAX_WAIT_SECONDS = 300;

export interface RequestOptions {
  readonly hubUrl: string;
  /** Of any form: other hubs' tokens do not begin with `hf_`. */
  readonly token: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A `fetch` for one hub, which waits as long as `Retry-After` says. @throws QwenVLError `hub_network` where that is too long */
export function hubFetch({ hubUrl, token, signal }: RequestOptions): typeof fetch {
  const { origin } = new URL(hubUrl);
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    // A redirect to another origin loses it again.
    if (token !== undefined && new URL(url).origin === origin) headers.set("authorization", `Bearer ${token}`);
    for (let waits = 0; ; waits++) {
      const response = await begun((silence) =>
        fetch(input, { ...init, headers, signal: signal ? AbortSignal.any([signal, silence]) : silence }),
      );
      const seconds = secondsToWait(response, waits);
      if (seconds === undefined || waits === MAX_WAITS) return response;
      if (seconds > MAX_WAIT_SECONDS) {
        const advice = token === undefined ? "; with an access token the limit is higher" : "";
        throw new QwenVLError("hub_network", `${url}: too many requests; come back in ${seconds} s${advice}`);
      }
      await response.body?.cancel();
      await sleep(seconds * 1000, undefined, signal && { signal });
    }
  };
}

/** The time of a body is not counted. */
async function begun(work: (silence: AbortSignal) => Promise<Response>): Promise<Response> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error(`no answer within ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  try {
    return await work(silence.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined for an answer to be taken as it is. */
function secondsToWait({ status, headers }: Response, waits: number): number | undefined {
  const header = headers.get("retry-after");
  if (status !== 429 && (status !== 503 || header === null)) return undefined;
  if (header === null) return 2 ** waits;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : 2 ** waits;
}

/** Turns what `@huggingface/hub` throws into our error. */
export async function withHubErrors<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof QwenVLError) throw cause;
    if (cause instanceof HubApiError && (cause.statusCode === 401 || cause.statusCode === 403)) {
      const advice = "does it exist, is its license accepted, and is HF_TOKEN set?";
      throw new QwenVLError("hub_access", `${what}: access refused (${cause.statusCode}); ${advice}`, { cause });
    }
    if (cause instanceof HubApiError && cause.statusCode === 404) {
      throw new QwenVLError("hub_not_found", `${what}: not found`, { cause });
    }
    const isUnread = cause instanceof SyntaxError || (cause instanceof TypeError && cause.cause === undefined);
    const advice = isUnread
      ? "; what answers is no hub: is HF_ENDPOINT the address of one?"
      : cause instanceof HubApiError
        ? ""
        : proxyAdvice();
    throw new QwenVLError("hub_network", `${what}: ${reasonOf(cause)}${advice}`, { cause });
  }
}

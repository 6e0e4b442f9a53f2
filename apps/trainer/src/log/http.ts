// JSON to a tracker and back.
import { proxyAdvice } from "@iapo/rollout-trace/files";
import { bodyOf, withoutSecret } from "@iapo/vqa-tasks/scoring";
import { TrainerError } from "../error.ts";

/** Longer, and training would pile up steps. */
const TIMEOUT_MS = 15_000;
const MOST_BYTES = 2 ** 22;

/** Where a tracker is. */
export interface TrackerAddress {
  readonly url: URL;
  /** What the address holds of a user and a password, as the header that carries it. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws TrainerError `argument` with `advice` where the text is no address */
export function trackerAddress(text: string, advice: string): TrackerAddress {
  const url = URL.parse(text.trim());
  if (!/^https?:$/.test(url?.protocol ?? "") || url === null) throw new TrainerError("argument", advice);
  const { username, password } = url;
  url.username = "";
  url.password = "";
  if (username === "" && password === "") return { url, headers: {} };
  try {
    return { url, headers: basic(decodeURIComponent(username), decodeURIComponent(password)) };
  } catch {
    throw new TrainerError(
      "argument",
      `${url}: the user and the password before @ are not encoded as an address needs it`,
    );
  }
}

export function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

/** @throws Error with what the tracker said, or why it did not answer */
export async function postJson(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  return ask(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

/** The status decides: 404 gives undefined. @throws as {@link postJson} */
export async function getJson(url: string, headers: Readonly<Record<string, string>>): Promise<unknown> {
  return ask(url, { headers: { ...headers } });
}

type Asked = Omit<RequestInit, "headers"> & { readonly headers: Readonly<Record<string, string>> };

async function ask(url: string, init: Asked): Promise<unknown> {
  const { origin, pathname } = new URL(url);
  const place = `${origin}${pathname}`; // without what a query may hold
  const safe = (words: string): string =>
    Object.entries(init.headers).reduce(
      (text, [name, value]) =>
        name === "content-type" ? text : withoutSecret(text, value.replace(/^(?:Bearer|Basic) /, "")),
      words,
    );
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { status, text } = await answerOf(url, { ...init, signal }).catch(({ message, cause }: Error) => {
    const why = signal.aborted ? `within ${TIMEOUT_MS / 1000} s` : cause instanceof Error ? cause.message : message;
    throw new Error(safe(`${place} does not answer: ${why}${proxyAdvice(url)}`));
  });
  if (status === 404 && init.method === undefined) return undefined;
  if (status < 200 || status > 299) throw new Error(safe(`${place} answers ${status}: ${text.slice(0, 300)}`));
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new Error(safe(`${place} answers with no JSON: ${text.slice(0, 100)}`));
  }
}

/** Redirects are not followed: they might lead the key elsewhere. */
async function answerOf(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { ...init, redirect: "manual" });
  const { bytes, isWhole } = await bodyOf(response, MOST_BYTES);
  if (!isWhole) throw new Error(`its answer is longer than ${MOST_BYTES} bytes`);
  const { status, headers } = response;
  const to = headers.get("location");
  return { status, text: to === null ? new TextDecoder().decode(bytes) : `it has another address, ${to}` };
}

// JSON to a tracker and back.

/** Longer, and training would pile up steps. */
const TIMEOUT_MS = 15_000;

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

async function ask(url: string, init: RequestInit): Promise<unknown> {
  const { origin, pathname } = new URL(url);
  const place = `${origin}${pathname}`; // without what a query may hold
  const response = await fetch(url, { ...init, redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
    ({ message, cause }: Error) => {
      throw new Error(`${place} does not answer: ${cause instanceof Error ? cause.message : message}`);
    },
  );
  const text = await response.text();
  if (response.status === 404 && init.method === undefined) return undefined;
  if (!response.ok) throw new Error(`${place} answers ${response.status}: ${text.slice(0, 300)}`);
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new Error(`${place} answers with no JSON: ${text.slice(0, 100)}`);
  }
}

// The addresses of the server. A page of another site can reach a server on this machine too: so names are checked, and bodies are JSON by their
// type, which such a page cannot send without asking first.
import { createHash, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { streamSSE } from "hono/streaming";
import { type ChatRequest, readChatRequest } from "./chat-request.ts";
import { ChunkWriter, completion, type Head, headOf } from "./completion.ts";
import type { Recorder } from "./record.ts";
import { ServeError } from "./serve-error.ts";
import type { Answers, ServedModel } from "./served-model.ts";

/** Several large pictures as base64. */
const MOST_BYTES = 64 * 2 ** 20;

export interface AppParts {
  readonly served: ServedModel;
  readonly token: string | undefined;
  readonly recorder: Recorder | undefined;
  /** Hears of each request as it ends. */
  readonly onEnd: (words: string) => void;
}

export function createApp(parts: AppParts): Hono {
  const { served, token } = parts;
  const app = new Hono();
  app.use(async (context, next) => {
    checkCaller(context, token);
    await next();
    context.res.headers.set("cache-control", "no-store");
    context.res.headers.set("x-content-type-options", "nosniff");
  });
  app.get("/health", (context) => context.json({ status: "ok" }));
  app.get("/v1/models", (context) => {
    const data = served.names.map((id) => ({ id, object: "model", created: 0, owned_by: "iapo" }));
    return context.json({ object: "list", data });
  });
  const tooLarge = (): never => {
    throw new ServeError(413, "request_too_large", `a request has at most ${MOST_BYTES} bytes`);
  };
  app.post("/v1/chat/completions", bodyLimit({ maxSize: MOST_BYTES, onError: tooLarge }), async (context) => {
    const type = context.req.header("content-type") ?? "";
    if (!/^application\/json\b/i.test(type)) throw new ServeError(415, "invalid_type", "send application/json");
    const body: unknown = await context.req.json().catch((cause: Error) => {
      throw new ServeError(400, "invalid_json", `the body is no JSON: ${cause.message}`);
    });
    const request = await readChatRequest(body);
    const { signal } = context.req.raw;
    return request.stream ? streamed(context, request, parts) : context.json(await answered(request, signal, parts));
  });
  app.notFound((context) => context.json(new ServeError(404, "not_found", "there is nothing here").body, 404));
  app.onError((error, context) => {
    const known = asServeError(error);
    return context.json(known.body, known.status);
  });
  return app;
}

async function answered(request: ChatRequest, signal: AbortSignal, parts: AppParts): Promise<object> {
  const head = headOf(request);
  const answers = await parts.served.answer(request, signal, () => {});
  await finish(head, request, answers, parts);
  return completion(head, request, answers, parts.served.qwen.processor.tokenizer);
}

/** An error behind the first chunk is an event of its own, as OpenAI's clients read it. */
function streamed(context: Context, request: ChatRequest, parts: AppParts): Response {
  const head = headOf(request);
  const chunks = new ChunkWriter(head, request, parts.served.qwen.processor.tokenizer);
  const left = new AbortController();
  return streamSSE(context, async (stream) => {
    stream.onAbort(() => left.abort());
    let written = Promise.resolve();
    const write = (all: readonly object[]): void => {
      for (const chunk of all) written = written.then(() => stream.writeSSE({ data: JSON.stringify(chunk) }));
    };
    try {
      write(chunks.begin());
      const answers = await parts.served.answer(request, left.signal, (sample, ids, logProbs) =>
        write(chunks.tokens(sample, ids, logProbs)),
      );
      await finish(head, request, answers, parts);
      write(chunks.end(answers));
      await written;
      await stream.writeSSE({ data: "[DONE]" });
    } catch (error) {
      if (left.signal.aborted) return;
      await written;
      await stream.writeSSE({ data: JSON.stringify(asServeError(error).body) });
    }
  });
}

async function finish(head: Head, request: ChatRequest, answers: Answers, parts: AppParts): Promise<void> {
  await parts.recorder?.keep(head.id, request, answers);
  const tokens = answers.turns.map(({ tokens: made }) => made.length).join(" + ");
  parts.onEnd(`${request.model}: ${answers.prompt.tokens.length} tokens in, ${tokens} out`);
}

function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  return new ServeError(500, "failed", error instanceof Error ? error.message : String(error));
}

/** @throws ServeError 421 for a name that another site may have pointed here, 401 without the token */
function checkCaller(context: Context, token: string | undefined): void {
  if (token === undefined) {
    const host = context.req.header("host") ?? "";
    if (/^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host)) return;
    throw new ServeError(421, "unknown_host", "this server answers to localhost only");
  }
  const [, given] = /^Bearer (\S+)$/i.exec(context.req.header("authorization") ?? "") ?? [];
  if (given === undefined || !isSame(given, token))
    throw new ServeError(401, "invalid_api_key", "give the server's token as the API key: Authorization: Bearer TOKEN");
}

function isSame(given: string, token: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}

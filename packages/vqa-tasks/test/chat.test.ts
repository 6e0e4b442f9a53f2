/** The chat client against servers as they are: answers without an answer, faults inside of a 200, keys sent back, own names of parameters. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { chatOptionsSchema } from "../src/config.ts";
import { type ChatOptions, createChatClient } from "../src/scoring/chat.ts";
import { readCompletion } from "../src/scoring/completion.ts";
import { createJudge } from "../src/scoring/judge.ts";

type Sent = { readonly body: Record<string, unknown>; readonly request: IncomingMessage };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers with the bodies in turn; the last one again and again. */
async function serve(answers: readonly unknown[], sent: Sent[] = []) {
  const respond = (response: ServerResponse): void => {
    const answer = answers[Math.min(sent.length, answers.length) - 1];
    if (typeof answer === "function") answer(response, sent.at(-1));
    else response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      sent.push({ body: JSON.parse(Buffer.concat(parts).toString()), request });
      respond(response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    model: "m",
    retryDelayMs: 1,
    retries: 3,
  };
}

const answerOf = (content: unknown): object => ({ choices: [{ message: { content }, finish_reason: "stop" }] });
const good = { choices: [{ message: { content: "hello" }, finish_reason: "stop" }] };
const ask = (options: Pick<ChatOptions, "endpoint" | "model"> & Partial<ChatOptions>) =>
  createChatClient(options)([{ role: "user", content: "?" }]);

test.each([
  ["cut off while thinking", { message: { content: null, reasoning_content: "so far" }, finish_reason: "length" }, 1],
  ["cut off before a word", { message: { content: "" }, finish_reason: "length" }, 1],
  ["filtered", { message: { content: "" }, finish_reason: "content_filter" }, 1],
  ["filtered half way", { message: { content: "It is" }, finish_reason: "content_filter" }, 1],
  ["a refusal", { message: { content: null, refusal: "I cannot help" }, finish_reason: "stop" }, 1],
  ["reasoning only", { message: { content: "", reasoning: "hm" }, finish_reason: "stop" }, 4],
  ["a filter as an error", { error: { code: "content_filter", message: "no" }, message: { content: "" } }, 1],
])("%s is no empty reply: the request is refused", async (_, choice, requests) => {
  const sent: Sent[] = [];
  await expect(ask(await serve([{ choices: [choice] }], sent))).rejects.toMatchObject({ code: "request_refused" });
  expect(sent).toHaveLength(requests);
});

test.each([
  ["429 inside of the answer", { error: { message: "Rate limit exceeded", code: 429 } }],
  ["502 inside of the answer", { error: { message: "Provider returned error", code: "502" } }],
  ["an error in words", { error: "overloaded" }],
  ["an error of the choice", { choices: [{ message: { content: "" }, finish_reason: "error", error: { code: 502 } }] }],
  ["the server's own end", { choices: [{ message: { content: "hel" }, finish_reason: "error" }] }],
  ["no choice", { choices: [] }],
])("%s is asked again", async (_, first) => {
  const sent: Sent[] = [];
  expect(await ask(await serve([first, good], sent))).toBe("hello");
  expect(sent).toHaveLength(2);
});

test("text in parts is one text; a reply that was cut, and an empty one, are replies", () => {
  const read = (content: unknown, finish_reason = "stop") =>
    readCompletion({ choices: [{ message: { content }, finish_reason }] });
  expect(read([{ type: "text", text: "hel" }, { type: "image_url" }, { type: "output_text", text: "lo" }])).toEqual({
    value: "hello",
  });
  expect(read("hel", "length")).toEqual({ value: "hel" });
  expect(read("")).toEqual({ value: "" });
  expect(read(null)).toMatchObject({ refused: true });
});

test("an answer that is no chat completion names the address, however deep it is", async () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  for (const answer of [deep, `{"choices":${deep}}`, `{"choices":[{"message":{"content":${deep}}}]}`, "5", "null"])
    await expect(ask(await serve([answer]))).rejects.toMatchObject({
      code: "endpoint_failed",
      message: expect.stringMatching(/^POST http:\S+ no chat completion(?:; check that the address|: choices)/),
    });
});

test("names of parameters, further fields and headers, a key in a header of its own", async () => {
  const sent: Sent[] = [];
  const at = await serve([good], sent);
  await createChatClient({
    ...at,
    apiKey: "secret-key",
    apiKeyHeader: "api-key",
    headers: { "x-org": "us" },
    query: { "api-version": "2026-01-01" },
    maxTokensName: "max_completion_tokens",
    temperature: 1,
    body: { seed: null, reasoning_effort: "low" },
  })([{ role: "user", content: "?" }], { seed: 3, temperature: 0.5 });
  const { body, request } = sent[0] ?? {};
  expect(request?.url).toBe("/v1/chat/completions?api-version=2026-01-01");
  expect(request?.headers).toMatchObject({ "api-key": "secret-key", "x-org": "us" });
  expect(request?.headers.authorization).toBeUndefined();
  const { messages: _, ...fields } = body ?? {};
  expect(fields).toEqual({
    model: "m",
    max_completion_tokens: 1024,
    temperature: 1,
    reasoning_effort: "low",
    stream: false,
  });
});

test("a key that a server sends back is in no message and no reply", async () => {
  const apiKey = 'sk-very"secret';
  const echo =
    (status: number) =>
    (response: ServerResponse, { request }: Sent) => {
      response.writeHead(status);
      const text = `you sent ${request.headers.authorization}`;
      response.end(
        status === 200
          ? JSON.stringify({ choices: [{ message: { content: text } }] })
          : JSON.stringify({ error: text }),
      );
    };
  expect(await ask({ ...(await serve([echo(200)])), apiKey })).toBe("you sent Bearer ***");
  await expect(ask({ ...(await serve([echo(401)])), apiKey })).rejects.toThrow(/Bearer \*\*\*/);
  await expect(ask({ ...(await serve([echo(401)])), apiKey })).rejects.not.toThrow(/very/);
});

const noAddresses = ["http://user:K@h/v1", "http://h/v1?api_key=K", "http://h/v1#K", "ftp://h/v1", "h/v1"];
test.each([...noAddresses, "http://h/v1 ", "http://h\\v1", "http://h/v1/chat/completions/"])(
  "the address %s is refused, and a key in it is not shown",
  (endpoint) => {
    const message = /no address|by http|user or password|ends before|holds a blank/;
    expect(() => createChatClient({ endpoint, model: "m" })).toThrow(message);
    const parsed = chatOptionsSchema.safeParse({ endpoint, model: "m" });
    expect(parsed.error?.issues[0]?.message).toMatch(message);
    expect(parsed.error?.issues[0]?.message).not.toMatch(/K\b/);
  },
);

test("a configuration holds no keys in headers, and does not set what the request sets", () => {
  const accepts = (extra: object) =>
    chatOptionsSchema.safeParse({ endpoint: "http://h/v1", model: "m", ...extra }).success;
  for (const name of ["Authorization", "api-key", "X-API-Key", "cookie", "x-auth-token"])
    expect(accepts({ headers: { [name]: "K" } })).toBe(false);
  expect(accepts({ body: { messages: [] } })).toBe(false);
  expect(accepts({ headers: { "x-a": "b\nc: d" } })).toBe(false);
  expect(
    accepts({ headers: { "HTTP-Referer": "https://example.org" }, body: { max_tokens: null }, temperature: 1 }),
  ).toBe(true);
});

const judged = { question: "?", truths: ["5"], answer: "5" };
const words = (sent: Sent): string[] => JSON.stringify(sent.body).match(/(?:right|wrong)-[0-9a-f]{8}/g) ?? [];

test.each<[string, (word: string) => string]>([
  ["a full stop", (word) => `${word}.`],
  ["stars", (word) => `**${word}**`],
  ["quotes", (word) => `"${word}"`],
  ["capitals", (word) => word.toUpperCase()],
  ["thinking before", (word) => `<think>\nwrong or not?\n</think>\n\n${word}`],
  ["a sentence before", (word) => `They are equal.\n\n${word}`],
])("a judge's verdict with %s counts", async (_, form) => {
  const says = (response: ServerResponse, sent: Sent) =>
    response.end(JSON.stringify({ choices: [{ message: { content: form(words(sent)[0] ?? "") } }] }));
  expect(await createJudge(await serve([says]))(judged)).toMatchObject({ correct: true });
});

test("what a judge only thinks is no verdict, and the last word counts", async () => {
  const thinks = (response: ServerResponse, sent: Sent) =>
    response.end(JSON.stringify({ choices: [{ message: { content: `<think>${words(sent)[0]}` } }] }));
  await expect(createJudge(await serve([thinks]))(judged)).rejects.toMatchObject({ code: "judge_failed" });
  const both = (response: ServerResponse, sent: Sent) =>
    response.end(
      JSON.stringify({ choices: [{ message: { content: `Not ${words(sent)[0]}, but ${words(sent)[1]}` } }] }),
    );
  expect(await createJudge(await serve([both]))(judged)).toMatchObject({ correct: false });
});

test.each<[string, string, number]>([
  ["a stream of events", 'data: {"choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n', 1],
  ["that is no JSON", "<!DOCTYPE html><html><body>Log in</body></html>", 4],
  ["that is no JSON", "", 4],
])("%s in place of an answer is said", async (words, answer, requests) => {
  const sent: Sent[] = [];
  await expect(ask(await serve([answer], sent))).rejects.toThrow(words);
  expect(sent).toHaveLength(requests);
});

test.each<[string, Record<string, string>]>([
  ["milliseconds", { "retry-after-ms": "300" }],
  ["part of a second", { "retry-after": "0.3" }],
  ["a date", { "retry-after": "soon" }],
])("a server's wait in %s is kept", async (_, headers) => {
  const sent: Sent[] = [];
  const busy = (response: ServerResponse): void => {
    const date = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toUTCString();
    response.writeHead(429, headers["retry-after"] === "soon" ? { "retry-after": date } : headers);
    response.end("{}");
  };
  const start = performance.now();
  expect(await ask(await serve([busy, good], sent))).toBe("hello");
  expect(performance.now() - start).toBeGreaterThan(280);
});

test.each<[number, string, string]>([
  [403, '{"error":{"message":"Your input was flagged by moderation"}}', "request_refused"],
  [403, '{"error":{"message":"no access to this model"}}', "endpoint_failed"],
  [401, '{"error":{"message":"the policy of your organization refuses"}}', "endpoint_failed"],
  [400, '{"error":{"code":"content_filter"}}', "request_refused"],
])("status %i with %s is %s", async (status, text, code) => {
  const refuse = (response: ServerResponse): void => {
    response.writeHead(status);
    response.end(text);
  };
  await expect(ask(await serve([refuse]))).rejects.toMatchObject({ code });
});

test("a key from a file is sent without its line break, and is no less secret; placeholders are words like others", async () => {
  const echo = (response: ServerResponse, { request }: Sent) =>
    response.end(JSON.stringify({ choices: [{ message: { content: `none: ${request.headers.authorization}` } }] }));
  expect(await ask({ ...(await serve([echo])), apiKey: "sk-secret\r\n" })).toBe("none: Bearer ***");
  expect(await ask({ ...(await serve([echo])), apiKey: "none" })).toBe("none: Bearer none");
  expect(await ask({ ...(await serve([echo])), apiKey: " " })).toBe("none: undefined");
});

test("what cannot be sent is said before anything is", () => {
  const at = { endpoint: "http://h/v1", model: "m" };
  for (const apiKey of ["sk-se\ncret", "sk-se\u2014cret"]) {
    expect(() => createChatClient({ ...at, apiKey })).toThrow(/the endpoint's API key holds a character/);
    expect(() => createChatClient({ ...at, apiKey })).not.toThrow(/cret/);
  }
  expect(() => createChatClient({ ...at, headers: { "x y": "1" } })).toThrow(/headers of the endpoint/);
  expect(() => createChatClient({ ...at, timeoutMs: 3e9 })).toThrow(/at most 2147483647 ms/);
  expect(chatOptionsSchema.safeParse({ ...at, timeoutMs: 3e9 }).success).toBe(false);
});

test("no redirect is followed: the address that it names is told, and not given the key", async () => {
  const [first, other]: [Sent[], Sent[]] = [[], []];
  const { endpoint } = await serve([good], other);
  const moved = (response: ServerResponse) => response.writeHead(307, { location: endpoint }).end();
  await expect(ask(await serve([moved], first))).rejects.toThrow(`status 307, another address ("${endpoint}")`);
  expect([first.length, other.length]).toEqual([1, 0]);
});

test.each<[string, unknown, string]>([
  [
    "in Latin-1",
    (response: ServerResponse) => response.end(Buffer.from(JSON.stringify(answerOf("é")), "latin1")),
    "not UTF-8",
  ],
  [
    "that stops amid its body",
    (response: ServerResponse) => response.writeHead(200).write("{"),
    "no whole answer within 0.1 s",
  ],
  ["with a long page", (response: ServerResponse) => response.writeHead(404).end("x".repeat(2 ** 21)), "status 404"],
  [
    "that asks for patience",
    (response: ServerResponse) => response.writeHead(429, { "retry-after-ms": "1" }).end("{}"),
    "asks for a wait of 1 s",
  ],
])("an answer %s is told as it is", async (_, answer, words) => {
  await expect(
    ask({ ...(await serve([answer])), retries: 1, timeoutMs: words.includes("0.1") ? 100 : 60_000 }),
  ).rejects.toThrow(words);
});

test.each(["0", "-5", "soon", "Sat, 01 Jan 2000 00:00:00 GMT"])(
  "a server that says Retry-After: %s is given our own time",
  async (after) => {
    const times: number[] = [];
    const busy = (response: ServerResponse) => {
      times.push(performance.now());
      response.writeHead(429, { "retry-after": after }).end();
    };
    await expect(ask({ ...(await serve([busy])), retries: 1, retryDelayMs: 120 })).rejects.toThrow("status 429");
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(110);
  },
);

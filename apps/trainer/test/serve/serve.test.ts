// iapo serve through the official client of OpenAI's API: a model's own answers, exactly, and what is refused.
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { studentDirectory } from "@iapo/nano-vl";
import { Adapter, encodeConversation, loadModel, Session, saveAdapter } from "@iapo/qwen-vl-model";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { type Image, verifyTrace } from "@iapo/rollout-trace";
import { readRun } from "@iapo/rollout-trace/files";
import { deriveSeed, openDevice } from "@iapo/tensor-core";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servedRenderer } from "../../src/index.ts";
import { StopText } from "../../src/serve/stop-text.ts";
import { type Running, sharedFolder, start } from "../support/iapo.ts";

const folder = sharedFolder();
const record = join(folder, "served");
let running: Running;
let client: OpenAI;
let picture: Image;
let question: string;

/** vLLM's fields, which the client passes on. */
type WithIds<T> = T & { readonly token_ids?: readonly number[]; readonly prompt_token_ids?: readonly number[] };

beforeAll(async () => {
  const { task } = await (await createNanoCharts({ seed: 3, names: "words" })).chart("test", 1);
  picture = task.content.image;
  question = `${task.content.question}\n`;
  using device = await openDevice();
  const qwen = await loadModel(device, studentDirectory);
  const adapter = Adapter.create(
    device,
    qwen.model.config,
    { rank: 2, alpha: 64, targets: ["q_proj", "v_proj"] },
    [1, 2],
  );
  for (const { b } of adapter.pairs.values())
    b.run.write(Float32Array.from({ length: b.run.size }, (_, i) => 0.3 * Math.sin(1.7 * i)));
  await saveAdapter(adapter, join(folder, "wobbly"), "student");
  adapter.dispose();
  qwen.dispose();
  running = start(["serve", studentDirectory, "--adapter-dir", join(folder, "wobbly"), "--record", record]);
  client = new OpenAI({ baseURL: await addressOf(running), apiKey: "none", maxRetries: 0 });
}, 120_000);
afterAll(async () => {
  running.child.kill("SIGINT");
  expect((await running.ended).code).toBe(0);
});

/** What it prints first. */
async function addressOf({ child }: Running): Promise<string> {
  if (!child.stdout) throw new Error("no output");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return line;
}

async function messages(): Promise<OpenAI.ChatCompletionMessageParam[]> {
  const content = [
    { type: "image_url", image_url: { url: await pngDataUrl(picture) } },
    { type: "text", text: question },
  ] as const;
  return [{ role: "user", content: [...content] }];
}

async function ask(more: object = {}) {
  const body = { model: "student", messages: await messages(), max_tokens: 40, seed: 5, ...more };
  return (await client.chat.completions.create(
    body as OpenAI.ChatCompletionCreateParamsNonStreaming,
  )) as WithIds<OpenAI.ChatCompletion>;
}

test("the model and its adapters are listed", async () => {
  const { data } = await client.models.list();
  expect(data.map(({ id }) => id)).toEqual(["student", "wobbly"]);
});

test("tokens and log-probs are those that the model samples by the same seed, sample by sample", async () => {
  const made = await ask({ n: 3, logprobs: true, return_token_ids: true, temperature: 0.8 });
  using device = await openDevice();
  const qwen = await loadModel(device, studentDirectory);
  const prompt = await encodeConversation(qwen.processor, [
    { role: "user", content: [{ image: picture }, { text: question }] },
  ]);
  const { image, video } = qwen.model.config.tokens;
  const padding = Array.from(
    { length: qwen.model.config.text.vocabSize - qwen.processor.tokenizer.size },
    (_, i) => qwen.processor.tokenizer.size + i,
  );
  using session = await Session.open(qwen.model, [prompt]);
  const turns = await session.generate({
    samples: 3,
    sampling: { temperature: 0.8, bannedIds: [image, video, ...padding] },
    seeds: [0, 1, 2].map((i) => deriveSeed("serve", 5, i)),
    stop: { ids: qwen.processor.stopIds, maxTokens: 40 },
  });
  expect(made.prompt_token_ids).toEqual([...prompt.tokens]);
  for (const [i, choice] of made.choices.entries()) {
    expect((choice as WithIds<typeof choice>).token_ids).toEqual([...turns[i]!.tokens]);
    expect(choice.logprobs?.content?.map(({ logprob }) => logprob)).toEqual([...turns[i]!.logProbs]);
    expect(choice.message.content).toBe(qwen.processor.tokenizer.decode(turns[i]!.tokens, { skipSpecialTokens: true }));
    expect(choice.finish_reason).toBe(turns[i]!.reason);
  }
  expect(new Set(made.choices.map(({ message }) => message.content)).size).toBeGreaterThan(1);
  expect(made.usage?.prompt_tokens).toBe(prompt.tokens.length);
  expect(made.usage?.completion_tokens).toBe(turns.reduce((sum, { tokens }) => sum + tokens.length, 0));
  qwen.dispose();
}, 120_000);

test("a stream says the same as an answer in one piece", async () => {
  const whole = await ask({ n: 2, logprobs: true });
  const stream = await client.chat.completions.create({
    ...{ model: "student", messages: await messages(), max_tokens: 40, seed: 5, n: 2, logprobs: true },
    ...{ stream: true, stream_options: { include_usage: true } },
  });
  const texts = ["", ""];
  const reasons: (string | null)[] = [null, null];
  const logProbs: number[][] = [[], []];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    for (const { index, delta, finish_reason, logprobs } of chunk.choices) {
      texts[index] += delta.content ?? "";
      reasons[index] ??= finish_reason;
      logProbs[index]!.push(...(logprobs?.content ?? []).map(({ logprob }) => logprob));
    }
    usage = chunk.usage ?? usage;
  }
  expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
  expect(reasons).toEqual(whole.choices.map(({ finish_reason }) => finish_reason));
  expect(logProbs).toEqual(whole.choices.map(({ logprobs }) => logprobs?.content?.map(({ logprob }) => logprob)));
  expect(usage).toEqual(whole.usage);
});

test("an adapter answers by its name, otherwise than the model", async () => {
  const [plain, adapted, again] = [
    await ask({ temperature: 0 }),
    await ask({ temperature: 0, model: "wobbly" }),
    await ask({ temperature: 0 }),
  ];
  expect(adapted.choices[0]!.message.content).not.toBe(plain.choices[0]!.message.content);
  expect(again.choices[0]!.message.content).toBe(plain.choices[0]!.message.content);
});

test("an answer ends before a stop text, streamed or not", async () => {
  const text = (await ask()).choices[0]!.message.content!;
  const stop = text.slice(6, 9);
  const expected = text.slice(0, text.indexOf(stop));
  const cut = await ask({ stop });
  expect([cut.choices[0]!.message.content, cut.choices[0]!.finish_reason]).toEqual([expected, "stop"]);
  const stream = await client.chat.completions.create({
    model: "student",
    messages: await messages(),
    max_tokens: 40,
    seed: 5,
    stop,
    stream: true,
  });
  let streamed = "";
  for await (const { choices } of stream) streamed += choices[0]?.delta.content ?? "";
  expect(streamed).toBe(expected);
});

test.each([1, 2, 3, 7])("a stop text is found wherever pieces of %i characters cut it", (size) => {
  const text = "one END two";
  const cut = new StopText(["END", "never"]);
  const pieces = text.match(new RegExp(`.{1,${size}}`, "g")) ?? [];
  expect(pieces.map((piece) => cut.push(piece)).join("") + cut.end()).toBe("one ");
  const whole = new StopText(["absent"]);
  expect(pieces.map((piece) => whole.push(piece)).join("") + whole.end()).toBe(text);
});

test("answers are kept as traces that verifyTrace makes again from conversation and pictures", async () => {
  const other = await messages();
  await ask({
    messages: [
      { role: "system", content: "Be brief.\n" },
      ...other,
      { role: "assistant", content: "What?" },
      { role: "user", content: "Go on.\n" },
    ],
    n: 2,
  });
  const processor = await loadProcessor(studentDirectory);
  const renderer = servedRenderer(record, processor);
  let count = 0;
  for await (const trace of readRun(join(record, "steps"))) {
    count++;
    expect(await verifyTrace(trace, renderer)).toEqual([]);
    const [turn] = trace.turns;
    const broken = { ...trace, turns: [{ ...turn!, tokens: turn!.tokens.map((id, i) => (i === 3 ? id + 1 : id)) }] };
    expect((await verifyTrace(broken, renderer)).map(({ field, index }) => [field, index])).toEqual([["tokens", 3]]);
  }
  expect(count).toBeGreaterThan(8);
});

test.each([
  ["another model", { model: "gpt" }, 404, "model"],
  ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, 400, "tools.0"],
  ["likeliest tokens", { logprobs: true, top_logprobs: 3 }, 400, "top_logprobs"],
  ["a field of nobody", { temprature: 1 }, 400, "temprature"],
  ["a temperature out of range", { temperature: -1 }, 400, "temperature"],
  ["more than fits", { max_tokens: 100_000 }, 400, "messages"],
  [
    "a picture from elsewhere",
    { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "http://127.0.0.1:1/x.png" } }] }] },
    400,
    "messages.0.content.0.image_url.url",
  ],
  [
    "a picture that is none",
    {
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] }],
    },
    400,
    "messages.0.content.0.image_url.url",
  ],
  ["no message", { messages: [] }, 400, "messages"],
])("refused by name: %s", async (_, more, status, param) => {
  await expect(ask(more)).rejects.toMatchObject({ status, param });
});

test("bodies are JSON by their type, and names are this machine's", async () => {
  const url = `${client.baseURL}/chat/completions`;
  const body = JSON.stringify({ model: "student", messages: [{ role: "user", content: "x" }] });
  expect((await fetch(url, { method: "POST", body, headers: { "content-type": "text/plain" } })).status).toBe(415);
  expect(
    (await fetch(url, { method: "POST", body: "{", headers: { "content-type": "application/json" } })).status,
  ).toBe(400);
  expect((await fetch(client.baseURL.replace("/v1", "/elsewhere"))).status).toBe(404);
});

test("a client that leaves does not keep others waiting", async () => {
  const controller = new AbortController();
  const stream = await client.chat.completions.create(
    { model: "student", messages: await messages(), max_tokens: 2000, n: 64, stream: true },
    { signal: controller.signal },
  );
  for await (const _ of stream) break;
  controller.abort();
  expect((await ask({ max_tokens: 4 })).choices).toHaveLength(1);
});

test("for other machines there is a key", async () => {
  const open = start(["serve", studentDirectory, "--host", "0.0.0.0"], { IAPO_SERVE_TOKEN: "0123456789abcdef" });
  try {
    const address = (await addressOf(open)).replace("0.0.0.0", "127.0.0.1");
    const asked = (apiKey: string) => new OpenAI({ baseURL: address, apiKey, maxRetries: 0 }).models.list();
    await expect(asked("wrong")).rejects.toMatchObject({ status: 401 });
    expect((await asked("0123456789abcdef")).data).toHaveLength(1);
  } finally {
    open.child.kill("SIGINT");
    await open.ended;
  }
}, 120_000);

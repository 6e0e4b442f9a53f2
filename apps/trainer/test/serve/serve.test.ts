// iapo serve through the official client of OpenAI's API: a model's own answers, exactly, and what is refused.
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { studentDirectory } from "@iapo/nano-vl";
import {
  Adapter,
  bannedIdsOf,
  encodeConversation,
  loadModel,
  packGroups,
  type QwenVLModel,
  type Sequence,
  Session,
  saveAdapter,
} from "@iapo/qwen-vl-model";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { type Image, verifyTrace } from "@iapo/rollout-trace";
import { readRun } from "@iapo/rollout-trace/files";
import { deriveSeed, linear, noGrad, openDevice, scope } from "@iapo/tensor-core";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servedRenderer } from "../../src/index.ts";
import { ServedModel } from "../../src/serve/served-model.ts";
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
  const whole = await ask({ n: 2, logprobs: true, return_token_ids: true });
  const asked: OpenAI.ChatCompletionCreateParamsStreaming & { return_token_ids: true } = {
    ...{ model: "student", messages: await messages(), max_tokens: 40, seed: 5, n: 2, logprobs: true },
    ...{ stream: true, stream_options: { include_usage: true }, return_token_ids: true },
  };
  const stream = await client.chat.completions.create(asked);
  const texts = ["", ""];
  const reasons: (string | null)[] = [null, null];
  const logProbs: number[][] = [[], []];
  const tokenIds: number[][] = [[], []];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    for (const choice of chunk.choices) {
      const { index, delta, finish_reason, logprobs } = choice;
      texts[index] += delta.content ?? "";
      reasons[index] ??= finish_reason;
      const ids = (choice as WithIds<typeof choice>).token_ids ?? [];
      const told = (logprobs?.content ?? []).map(({ logprob }) => logprob);
      expect(told).toHaveLength(ids.length); // each token with its own
      tokenIds[index]!.push(...ids);
      logProbs[index]!.push(...told);
    }
    usage = chunk.usage ?? usage;
  }
  expect(tokenIds).toEqual(whole.choices.map((choice) => (choice as WithIds<typeof choice>).token_ids));
  expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
  expect(reasons).toEqual(whole.choices.map(({ finish_reason }) => finish_reason));
  expect(logProbs).toEqual(whole.choices.map(({ logprobs }) => logprobs?.content?.map(({ logprob }) => logprob)));
  expect(usage).toEqual(whole.usage);
});

test.each([0, 0.8])(
  "likeliest tokens at temperature %d are those of the model's own logits",
  async (temperature) => {
    const made = await ask({ n: 2, logprobs: true, top_logprobs: 4, return_token_ids: true, temperature });
    using device = await openDevice();
    const qwen = await loadModel(device, studentDirectory);
    const { model, processor } = qwen;
    const prompt = await encodeConversation(processor, [
      { role: "user", content: [{ image: picture }, { text: question }] },
    ]);
    const banned = bannedIdsOf(model.config, processor.tokenizer.size);
    for (const choice of made.choices) {
      const ids = (choice as WithIds<typeof choice>).token_ids ?? [];
      const told = choice.logprobs?.content ?? [];
      expect(told).toHaveLength(ids.length);
      for (const [i, { logprob, top_logprobs: top }] of told.entries()) {
        const distribution = softmax(await logitsBehind(qwen.model, prompt, ids.slice(0, i)), banned, temperature || 1);
        const order = [...distribution.keys()].sort((a, b) => distribution[b]! - distribution[a]!).slice(0, 4);
        expect(top.map(({ bytes }) => bytes)).toEqual(order.map((id) => [...processor.tokenizer.bytes(id)]));
        for (const [k, id] of order.entries()) {
          expect(Math.abs(top[k]!.logprob - Math.log(distribution[id]!))).toBeLessThan(1e-4);
          if (id === ids[i]) expect(top[k]!.logprob).toBe(logprob);
        }
        if (temperature === 0) expect(order[0]).toBe(ids[i]);
      }
    }
    qwen.dispose();
  },
  120_000,
);

/** Of the next token, by a prompt of its own. */
async function logitsBehind(model: QwenVLModel, prompt: Sequence, ids: readonly number[]): Promise<Float64Array> {
  const start = Math.max(...prompt.positions) + 1;
  const behind = ids.flatMap((_, i) => [start + i, start + i, start + i]);
  const whole = {
    ...prompt,
    tokens: Int32Array.from([...prompt.tokens, ...ids]),
    positions: Int32Array.from([...prompt.positions, ...behind]),
  };
  const uploaded = model.upload(packGroups(model.config, [{ prompt: whole, responses: [] }]));
  using logits = noGrad(() => scope(() => linear(model.hidden(model.embed(uploaded), uploaded), model.head)));
  model.release(uploaded);
  return Float64Array.from((await logits.values()).subarray(-model.config.text.vocabSize));
}

function softmax(logits: Float64Array, banned: readonly number[], temperature: number): Float64Array {
  const weights = logits.map((logit, id) => (banned.includes(id) ? 0 : Math.exp(logit / temperature)));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / sum);
}

test("likeliest tokens of a stream come with its last chunk", async () => {
  const whole = await ask({ logprobs: true, top_logprobs: 2 });
  const stream = await client.chat.completions.create({
    ...{ model: "student", messages: await messages(), max_tokens: 40, seed: 5, stream: true },
    ...{ logprobs: true, top_logprobs: 2 },
  });
  const told: unknown[] = [];
  for await (const { choices } of stream) {
    for (const { logprobs, finish_reason } of choices) {
      if (logprobs) expect(finish_reason).not.toBeNull();
      told.push(...(logprobs?.content ?? []));
    }
  }
  expect(told).toEqual(whole.choices[0]!.logprobs?.content);
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
  ["likeliest tokens without log-probs", { top_logprobs: 3 }, 400, "top_logprobs"],
  ["more likeliest tokens than OpenAI gives", { logprobs: true, top_logprobs: 21 }, 400, "top_logprobs"],
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

test("an interrupt is heard while a model is loaded, and nothing of it is left", async () => {
  using device = await openDevice();
  const before = device.memory().liveBytes;
  const reason = new Error("interrupted");
  await expect(ServedModel.load(device, studentDirectory, [], AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(device.memory().liveBytes).toBe(before);
});

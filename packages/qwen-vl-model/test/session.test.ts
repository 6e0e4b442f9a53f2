// What callers hear while a session generates, and what is left of it when they fail or leave.
import { type Device, deriveSeed, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { GenerateRequest } from "../src/generation/request.ts";
import { Session } from "../src/generation/session.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import type { Sequence } from "../src/model/pack.ts";
import { loadNano } from "./support/nano.ts";

let device: Device;
let model: QwenVLModel;
beforeAll(async () => {
  device = await openDevice();
  model = await loadNano(device);
});
afterAll(() => {
  model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

const [SAMPLES, MAX_TOKENS] = [6, 16];
const prompt: Sequence = {
  tokens: Int32Array.of(20, 21, 22),
  positions: Int32Array.of(0, 0, 0, 1, 1, 1, 2, 2, 2),
  images: [],
};

/** Two chunks of 8 tokens; every fifth id ends a response, so that some end in the first and some in the second. */
async function generate(more: Partial<GenerateRequest>) {
  using session = await Session.open(model, [prompt]);
  return await session.generate({
    samples: SAMPLES,
    sampling: { temperature: 1 },
    seeds: Array.from({ length: SAMPLES }, (_, i) => deriveSeed("session", i)),
    stop: { ids: Array.from({ length: 200 }, (_, i) => 5 * i), maxTokens: MAX_TOKENS },
    ...more,
  });
}

test("turns are heard as they end, when the others' next tokens are already asked for", async () => {
  const heard: { response: number; dispatches: number }[] = [];
  const pieces: number[][] = Array.from({ length: SAMPLES }, () => []);
  const turns = await generate({
    onTurn: (response) => heard.push({ response, dispatches: device.dispatches }),
    onTokens: (response, tokens) => pieces[response]!.push(...tokens),
  });
  const all = device.dispatches;
  const early = turns.flatMap(({ tokens }, i) => (tokens.length <= MAX_TOKENS / 2 ? [i] : []));
  const late = turns.flatMap((_, i) => (early.includes(i) ? [] : [i]));
  expect(early.length).toBeGreaterThan(0);
  expect(late.length).toBeGreaterThan(0);
  expect(heard.map(({ response }) => response)).toEqual([...early, ...late]);
  expect(heard.map(({ dispatches }) => dispatches)).toEqual(heard.map(() => all));
  expect(pieces).toEqual(turns.map(({ tokens }) => [...tokens]));
});

test("what a chunk of steps needs is uploaded together, not step by step", async () => {
  const { queue } = device.gpu!;
  const write = queue.writeBuffer.bind(queue);
  const uploads = new Set<number>(); // by the dispatches before them
  const spy = vi.spyOn(queue, "writeBuffer").mockImplementation((...args) => {
    if (args[0].label !== "uniforms") uploads.add(device.dispatches);
    write(...args);
  });
  await generate({});
  spy.mockRestore();
  const [prompt, chunks] = [1, 2];
  expect(uploads.size).toBeLessThanOrEqual(prompt + 3 * chunks);
});

test("a caller that throws, or whose signal aborts, leaves nothing behind", async () => {
  const live = device.memory().liveBytes;
  const fail = (): never => {
    throw new Error("no use for it");
  };
  await expect(generate({ onTurn: fail })).rejects.toThrow("no use for it");
  expect(device.memory().liveBytes).toBe(live);
  await expect(generate({ signal: AbortSignal.abort(new Error("never mind")) })).rejects.toThrow("never mind");
  expect(device.memory().liveBytes).toBe(live);
  const leave = new AbortController();
  let heard = 0;
  const onTokens = (): void => {
    heard++;
    leave.abort(new Error("enough"));
  };
  const stop = { ids: [], maxTokens: 1000 };
  await expect(generate({ signal: leave.signal, onTokens, stop })).rejects.toThrow("enough");
  expect(heard).toBe(SAMPLES);
  expect(device.memory().liveBytes).toBe(live);
});

test("prompts are computed some at a time, to the same bits, and an interrupt is heard in between", async () => {
  const long = (seed: number): Sequence => ({
    tokens: Int32Array.from({ length: 3000 }, (_, i) => 20 + ((seed * i) % 50)),
    positions: Int32Array.from({ length: 9000 }, (_, i) => Math.floor(i / 3)),
    images: [],
  });
  const prompts = [7, 11, 13].map(long);
  const request = { samples: 1, sampling: { temperature: 1 }, stop: { ids: [], maxTokens: 4 } };
  const live = device.memory().liveBytes;
  const seedOf = (i: number) => deriveSeed("long", i);
  const before = device.dispatches;
  using together = await Session.open(model, prompts);
  const all = device.dispatches - before;
  const turns = await together.generate({ ...request, seeds: prompts.map((_, i) => seedOf(i)) });
  together.close();
  for (const [i, prompt] of prompts.entries()) {
    using alone = await Session.open(model, [prompt]);
    expect(await alone.generate({ ...request, seeds: [seedOf(i)] })).toEqual([turns[i]]);
  }

  const leave = new AbortController();
  const start = device.dispatches;
  const opening = Session.open(model, prompts, { signal: leave.signal });
  leave.abort(new Error("never mind"));
  await expect(opening).rejects.toThrow("never mind");
  expect(device.dispatches - start).toBeLessThan(all / 2);
  expect(device.memory().liveBytes).toBe(live);
});

test("a session is used in turn: a second turn needs what follows the first, one call at a time, none after the end", async () => {
  const session = await Session.open(model, [prompt]);
  const request = {
    samples: 1,
    sampling: { temperature: 0 },
    seeds: [deriveSeed("x", 0)],
    stop: { ids: [], maxTokens: 4 },
  };
  const observation: Sequence = { tokens: Int32Array.of(30), positions: Int32Array.of(7, 7, 7), images: [] };
  const refused = { name: "QwenVLError", code: "session" };
  await expect(session.append([])).rejects.toThrow("no turn was generated since");
  const running = session.generate(request);
  await expect(session.generate(request)).rejects.toThrow(expect.objectContaining(refused));
  await expect(session.append([observation])).rejects.toThrow("wait for that first");
  const [turn] = await running;
  await expect(session.generate(request)).rejects.toThrow("append what follows it");
  await session.append([observation]);
  await expect(session.append([observation])).rejects.toThrow("no turn was generated since");
  const [second] = await session.generate(request);
  expect(second!.nextPosition).toBe(turn!.nextPosition + 1 + 4);
  await session.append([undefined]);
  expect(await session.generate({ ...request, seeds: [] })).toEqual([]);
  session.close();
  session.close();
  await expect(session.generate(request)).rejects.toThrow("the session is closed");

  const closed = await Session.open(model, [prompt]);
  const left = closed.generate({ ...request, stop: { ids: [], maxTokens: 100 } });
  closed.close();
  await expect(left).rejects.toThrow("closed while it was generating");
});

test.each([
  ["samples", { samples: 0 }],
  ["sampling.temperature", { sampling: { temperature: Number.NaN } }],
  ["sampling.temperature", { sampling: { temperature: -1 } }],
  ["sampling.temperature", { sampling: { temperature: 1e-40 } }],
  ["sampling.topP", { sampling: { temperature: 1, topP: 0 } }],
  ["sampling.topK", { sampling: { temperature: 1, topK: -1 } }],
  ["stop.maxTokens", { stop: { ids: [], maxTokens: 0 } }],
  ["stop.maxTokens", { stop: { ids: [], maxTokens: 2.5 } }],
  ["stop.strings.0", { stop: { ids: [], maxTokens: 3, strings: [""] } }],
  ["6 responses need as many seeds, not 0", { seeds: [] }],
])("a request is refused by its option: %s", async (part, more) => {
  const run = generate(more as Partial<GenerateRequest>);
  await expect(run).rejects.toThrow(part);
  await expect(run).rejects.toMatchObject({ name: "QwenVLError", code: "option" });
});

test("logits that are not finite end a generation, by token, response and version of the weights", async () => {
  const broken = await loadNano(device);
  const norm = broken.weights.get("model.norm.weight");
  const values = (await norm.values()) as Float32Array;
  norm.write(values.map((value, i) => (i === 3 ? Number.NaN : value)));
  using session = await Session.open(broken, [prompt]);
  const request = {
    samples: 2,
    sampling: { temperature: 1 },
    seeds: [deriveSeed("a", 0), deriveSeed("a", 1)],
    version: 7,
  };
  await expect(session.generate({ ...request, stop: { ids: [], maxTokens: 3 } })).rejects.toMatchObject({
    code: "not_finite",
    message: expect.stringMatching(/^token 0 of response 0 under the weights of version 7: the logits are not finite/),
  });
  broken.dispose();
});

test("a cache that does not fit leaves nothing, and a smaller one fits after it", async () => {
  const small = await openDevice({ memoryBudget: 8_000_000 });
  const own = await loadNano(small);
  const live = small.memory().liveBytes;
  const ask = async (maxTokens: number): Promise<number> => {
    using session = await Session.open(own, [prompt]);
    const request = { samples: 1, sampling: { temperature: 0 }, seeds: [deriveSeed("x", 0)] };
    const [turn] = await session.generate({ ...request, stop: { ids: [], maxTokens } });
    return turn!.tokens.length;
  };
  expect(await ask(20)).toBe(20);
  await expect(ask(40_000)).rejects.toMatchObject({ code: "out_of_memory" });
  expect(small.memory().liveBytes).toBe(live);
  const long = { ...prompt, tokens: new Int32Array(60_000).fill(20), positions: new Int32Array(180_000) };
  await expect(Session.open(own, [long])).rejects.toMatchObject({ code: "out_of_memory" });
  expect(small.memory().liveBytes).toBe(live);
  expect(await ask(20)).toBe(20);
  own.dispose();
  expect(small.memory().liveBytes).toBe(0);
  small.close();
});
